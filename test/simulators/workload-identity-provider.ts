import type { Caller } from './google-access-tokens.ts';
import { celExpression, type MappedAttributes } from './google-attribute-mapping.ts';

/** A provider of a workload identity pool. Flags are read at each request, so a test may change them. */
export interface WorkloadIdentityProvider {
  readonly projectNumber: string;
  readonly pool: string;
  readonly provider: string;
  readonly issuer: string;
  /** Empty: the provider's own resource name, with and without `https:`. */
  readonly allowedAudiences?: readonly string[];
  /** `google.subject`, `google.groups` and `attribute.NAME` to CEL expressions. */
  readonly attributeMapping: Readonly<Record<string, string>>;
  /** A CEL expression. */
  readonly attributeCondition?: string;
  readonly disabled?: boolean;
}

/** `//iam.googleapis.com/projects/…`: what a client names as the audience of the exchange. */
export function providerAudience({ projectNumber, pool, provider }: WorkloadIdentityProvider): string {
  return `//iam.googleapis.com/${poolName(projectNumber, pool)}/providers/${provider}`;
}

/** The audiences that a token may be for. */
export function acceptedAudiences(provider: WorkloadIdentityProvider): readonly string[] {
  const { allowedAudiences = [] } = provider;
  const byDefault = providerAudience(provider);
  return allowedAudiences.length > 0 ? allowedAudiences : [byDefault, `https:${byDefault}`];
}

/** The identity that a mapped credential gets, under all its names in IAM policies. */
export function federatedCaller(provider: WorkloadIdentityProvider, attributes: MappedAttributes): Caller {
  const pool = `iam.googleapis.com/${poolName(provider.projectNumber, provider.pool)}`;
  const identity = `principal://${pool}/subject/${attributes.subject}`;
  return {
    identity,
    members: [
      identity,
      ...attributes.groups.map((group) => `principalSet://${pool}/group/${group}`),
      ...Object.entries(attributes.custom).map(([name, value]) => `principalSet://${pool}/attribute.${name}/${value}`),
      `principalSet://${pool}/*`,
    ],
  };
}

/**
 * Refuses a provider that could not have been created
 * (https://cloud.google.com/iam/docs/reference/rest/v1/projects.locations.workloadIdentityPools.providers).
 */
export function checkProvider(provider: WorkloadIdentityProvider): void {
  const {
    projectNumber,
    pool,
    provider: id,
    issuer,
    allowedAudiences = [],
    attributeMapping,
    attributeCondition,
  } = provider;
  const mappings = Object.entries(attributeMapping);
  const faults = [
    !/^\d+$/.test(projectNumber) && 'the project must be given by its number',
    [pool, id].some((name) => !/^(?!gcp-)[a-z0-9-]{4,32}$/.test(name)) && 'a pool or provider id is malformed',
    !issuer.startsWith('https://') && 'Invalid OIDC issuer URI. The scheme must be https.',
    (allowedAudiences.length > 10 || allowedAudiences.some((audience) => audience.length > 256)) &&
      'there are more than 10 allowed audiences, or one is longer than 256 characters',
    attributeMapping['google.subject'] === undefined && 'google.subject is not mapped',
    mappings.some(([target]) => !/^(google\.(subject|groups)|attribute\.[a-z0-9_]{1,100})$/.test(target)) &&
      'a mapped attribute has a name that is not allowed',
    mappings.filter(([target]) => target.startsWith('attribute.')).length > 50 && 'there are more than 50 attributes',
    mappings.some(([, expression]) => expression.length > 2048) && 'a mapping is longer than 2048 characters',
    (attributeCondition?.length ?? 0) > 4096 && 'the condition is longer than 4096 characters',
  ].filter((fault) => fault !== false);
  if (faults.length > 0) throw new Error(`Provider ${pool}/${id}: ${faults.join('; ')}`);
  for (const [, expression] of mappings) celExpression(expression);
  if (attributeCondition !== undefined) celExpression(attributeCondition);
}

function poolName(projectNumber: string, pool: string): string {
  return `projects/${projectNumber}/locations/global/workloadIdentityPools/${pool}`;
}
