import { type CelInput, CelScalar, celEnv, celMethod, isCelError, isCelList, parse, plan } from '@bufbuild/cel';
import { strings } from '@bufbuild/cel/ext';

/** What a provider's attribute mapping made of one credential. */
export interface MappedAttributes {
  readonly subject: string;
  readonly groups: readonly string[];
  readonly custom: Readonly<Record<string, string>>;
}

/** An OAuth error as the token service words it. */
export interface OAuthError {
  readonly error: string;
  readonly description: string;
}

const MAX_SUBJECT_BYTES = 127;

/** Google's own string function beside the standard CEL ones (https://cloud.google.com/iam/docs/conditions-attribute-reference#extract). */
const extract = celMethod('extract', CelScalar.STRING, [CelScalar.STRING], CelScalar.STRING, function (template) {
  const [, prefix, suffix] = /^([^{}]*)\{[^{}]*\}([^{}]*)$/.exec(template) ?? [];
  if (prefix === undefined || suffix === undefined) throw new Error(`extract() cannot read the template ${template}`);
  const start = this.indexOf(prefix);
  if (start === -1) return '';
  const rest = this.slice(start + prefix.length);
  if (suffix === '') return rest;
  const end = rest.indexOf(suffix);
  return end === -1 ? '' : rest.slice(0, end);
});

const environment = celEnv({ funcs: [...strings, extract] });

/** Parses a CEL expression of a provider; throws where it is not CEL. */
export function celExpression(expression: string): (variables: Record<string, unknown>) => unknown {
  const evaluate = plan(environment, parse(expression));
  return (variables) => evaluate(variables as Record<string, CelInput>);
}

/**
 * Evaluates an attribute mapping over a token's claims
 * (https://cloud.google.com/iam/docs/workload-identity-federation#mapping).
 */
export function mapAttributes(
  mapping: Readonly<Record<string, string>>,
  assertion: Record<string, unknown>,
): MappedAttributes | OAuthError {
  const custom: Record<string, string> = {};
  let subject = '';
  let groups: readonly string[] = [];
  for (const [target, expression] of Object.entries(mapping)) {
    const value = celExpression(expression)({ assertion });
    if (isCelError(value) || value === null || (target === 'google.subject' && value === '')) return noValue(target);
    if (target === 'google.groups') {
      if (!isCelList(value))
        return { error: 'invalid_request', description: `The mapped attribute '${target}' must be of type LIST` };
      groups = [...value].map(String);
      continue;
    }
    if (typeof value !== 'string') {
      return { error: 'invalid_request', description: `The mapped attribute '${target}' must be of type STRING` };
    }
    if (target === 'google.subject') subject = value;
    else custom[target.slice('attribute.'.length)] = value;
  }
  if (Buffer.byteLength(subject) > MAX_SUBJECT_BYTES) {
    return {
      error: 'invalid_request',
      description:
        `The size of mapped attribute google.subject exceeds the ${MAX_SUBJECT_BYTES} bytes limit. Either modify your attribute ` +
        `mapping or the incoming assertion to produce a mapped attribute that is less than ${MAX_SUBJECT_BYTES} bytes.`,
    };
  }
  return { subject, groups, custom };
}

/** Whether a condition holds; an expression that fails or gives no boolean does not hold. */
export function conditionHolds(
  condition: string,
  assertion: Record<string, unknown>,
  { subject, groups, custom }: MappedAttributes,
): boolean {
  return (
    celExpression(condition)({ assertion, google: { subject, groups: [...groups] }, attribute: { ...custom } }) === true
  );
}

function noValue(target: string): OAuthError {
  return {
    error: 'unauthorized_client',
    description: `Could not obtain a value for ${target} from the given credential.`,
  };
}
