import { defined, entryOf, isObject, type Json, listAt, numberAt, objectAt, textAt } from '../../json.ts';
import type { FailureCause, Phase, RunStatus } from '../../kind.ts';
import { plainLine, webAddress } from '../../remote-text.ts';
import { errorText } from './errors.ts';

const UNDER_WAY: Readonly<Record<string, Phase>> = {
  QUEUED: 'queued',
  INITIALIZING: 'queued',
  ANALYZING: 'running',
  BUILDING: 'running',
  DEPLOYING: 'running',
};

/** What is read of a deployment beside itself, and what its settings make of READY. */
export interface StatusReading {
  /** The answer of check-runs, where it was asked for. */
  readonly checkRuns: Json | undefined;
  /** The domains are left alone, so it is done when it is built. */
  readonly skipDomain: boolean;
}

/** Whether anything checks a deployment, so that its check runs are worth a request. */
export function hasChecks(deployment: Json): boolean {
  return isObject(deployment) && (isObject(deployment.checks) || textAt(deployment, 'checksState') !== undefined);
}

/**
 * Reads a deployment. READY is not yet live: that it is when its domains were assigned, which checks can hold up. States that are
 * not known count as running. https://vercel.com/docs/rest-api/deployments/get-a-deployment-by-id-or-url
 */
export function readDeployment(deployment: Json, reading: StatusReading): RunStatus {
  const word = textAt(deployment, 'readyState') ?? textAt(deployment, 'status') ?? 'QUEUED';
  const address = addressOf(deployment);
  return {
    word: plainLine(word, 80),
    parts: listAt(reading.checkRuns, 'runs').map((run) => checkPart(run)),
    source: deployment,
    ...defined({
      url: pageOf(deployment),
      startedAt: numberAt(deployment, 'buildingAt'),
      outputs: address === undefined ? undefined : { 'deployment-url': address },
    }),
    ...standing(word, deployment, reading),
  };
}

type Standing = Pick<RunStatus, 'phase' | 'detail' | 'failure'> & { readonly word?: string };

function standing(word: string, deployment: Json, reading: StatusReading): Standing {
  if (word === 'READY') return readyStanding(deployment, reading);
  if (word === 'CANCELED') return { phase: 'cancelled', ...detailOf(textAt(deployment, 'readyStateReason')) };
  if (word === 'BLOCKED') return failed('permission', blockedMessage(deployment));
  if (word === 'ERROR' || word.endsWith('_ERROR')) return failed(causeOf(deployment), failureMessage(deployment));
  return { phase: entryOf(UNDER_WAY, word) ?? 'running', ...detailOf(textAt(deployment, 'readyStateReason')) };
}

function readyStanding(deployment: Json, { checkRuns, skipDomain }: StatusReading): Standing {
  const assigned = isObject(deployment) && Boolean(deployment.aliasAssigned);
  if (assigned) return { phase: 'succeeded' };
  const aliasError = errorText(deployment, 'aliasError');
  if (aliasError !== undefined) return failed('code', `The domains could not be assigned: ${aliasError}`);
  const conclusion = textAt(deployment, 'checksConclusion');
  const guard = textAt(objectAt(objectAt(deployment, 'checks'), 'deployment-alias'), 'state');
  if (conclusion === 'failed' || conclusion === 'canceled' || guard === 'failed') {
    const names = listAt(checkRuns, 'runs').flatMap((run) => (isFailedCheck(run) ? [checkPart(run).name] : []));
    const which = names.length === 0 ? `conclusion ${conclusion ?? guard}` : names.join(', ');
    return failed('code', `The checks did not pass, so the domains are not assigned: ${which}`);
  }
  const checking = textAt(deployment, 'checksState');
  if (checking === 'registered' || checking === 'running' || guard === 'running' || guard === 'pending')
    return { phase: 'running', ...detailOf('the checks are running') };
  const staged = skipDomain || (isObject(deployment) && deployment.autoAssignCustomDomains === false);
  if (staged)
    return { phase: 'succeeded', word: textAt(deployment, 'readySubstate') === 'STAGED' ? 'STAGED' : 'READY' };
  return { phase: 'running', ...detailOf('assigning the domains') };
}

function failed(cause: FailureCause, message: string): Standing {
  return { phase: 'failed', failure: { cause, message } };
}

function detailOf(detail: string | undefined): { readonly detail?: string } {
  return detail === undefined || detail === '' ? {} : { detail: plainLine(detail, 200) };
}

function failureMessage(deployment: Json): string {
  const step = textAt(deployment, 'errorStep');
  const parts = [
    textAt(deployment, 'errorCode'),
    textAt(deployment, 'errorMessage') ?? textAt(deployment, 'readyStateReason'),
  ];
  const reason = parts.filter((part) => part !== undefined && part !== '').join(': ');
  const link = textAt(deployment, 'errorLink');
  const where = step === undefined ? '' : `In the step ${step}: `;
  return `${where}${reason === '' ? 'Vercel gives no reason; its page of the deployment may' : reason}${link === undefined ? '' : ` (${link})`}`;
}

// The codes are not listed anywhere, so words that tell are looked for in them.
const CAUSES: readonly (readonly [RegExp, FailureCause])[] = [
  [/internal|unexpected|infra|provision|unavailable/i, 'infrastructure'],
  [/limit|quota|exceeded|payment|billing/i, 'quota'],
  [/time_?d?_?out/i, 'timeout'],
  [/forbidden|unauthorized|permission|not_authorized/i, 'permission'],
];

function causeOf(deployment: Json): FailureCause {
  const code = textAt(deployment, 'errorCode') ?? '';
  return CAUSES.find(([pattern]) => pattern.test(code))?.[1] ?? 'code';
}

const SEATS: Readonly<Record<string, string>> = {
  TEAM_ACCESS_REQUIRED: 'the author of the commit has no access to the team',
  COMMIT_AUTHOR_REQUIRED: 'the deployment names no author of the commit, and the team wants one who has a seat',
};

/** A block is over only when somebody with a seat lifts it, which no step should wait for. */
function blockedMessage(deployment: Json): string {
  const code = textAt(objectAt(deployment, 'seatBlock'), 'blockCode');
  const reason = textAt(deployment, 'readyStateReason');
  if (code === undefined) return `Vercel blocked the deployment${reason === undefined ? '' : `: ${reason}`}`;
  const meaning = entryOf(SEATS, code) ?? reason ?? 'a seat in the team is missing';
  return `Vercel blocked the deployment (${code}): ${meaning}. See "The commit author has no seat" in docs/vercel.md.`;
}

function checkPart(run: Json): { readonly name: string; readonly phase: Phase; readonly word: string } {
  const status = textAt(run, 'status') ?? 'queued';
  const conclusion = textAt(run, 'conclusion');
  const word = plainLine(conclusion ?? status, 60);
  const name = plainLine(textAt(run, 'name') ?? textAt(run, 'id') ?? 'check', 100);
  if (isFailedCheck(run)) return { name, phase: 'failed', word };
  if (status === 'completed') return { name, phase: 'succeeded', word };
  return { name, phase: status === 'running' ? 'running' : 'queued', word };
}

function isFailedCheck(run: Json): boolean {
  return ['failed', 'canceled', 'timeout'].includes(textAt(run, 'conclusion') ?? '');
}

/** Where people see the deployment's builds, checks and logs. */
export function pageOf(deployment: Json): string | undefined {
  const page = webAddress(textAt(deployment, 'inspectorUrl'));
  return page?.startsWith('https:') === true ? page : addressOf(deployment);
}

/** The deployment's own address, which the service gives without a scheme; undefined when it is not a plain host name. */
export function addressOf(deployment: Json): string | undefined {
  const host = textAt(deployment, 'url')?.replace(/^https:\/\//, '') ?? '';
  return /^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/i.test(host) ? `https://${host}` : undefined;
}
