/** How a deployment ends. */
export type DeploymentEnd =
  | { readonly kind: 'ready' }
  | { readonly kind: 'error'; readonly step: string; readonly code: string; readonly message: string }
  | { readonly kind: 'canceled' }
  /** Refused for the sake of the commit's author, before anything is built. */
  | { readonly kind: 'blocked'; readonly blockCode: 'TEAM_ACCESS_REQUIRED' | 'COMMIT_AUTHOR_REQUIRED' }
  /** Built, but its domains cannot be assigned. */
  | { readonly kind: 'aliasError'; readonly code: string; readonly message: string }
  /** Built, but a check that guards the domains fails. */
  | { readonly kind: 'checksFailed' }
  /** Stays in its last phase. */
  | { readonly kind: 'hang' }
  /** Ends in a word that is not documented. */
  | { readonly kind: 'state'; readonly state: string };

/** The script of one deployment, by the simulator's clock. */
export interface DeploymentLife {
  readonly queuedMs?: number;
  readonly buildingMs?: number;
  /** Other states on the way, after QUEUED and before BUILDING: also words that are not documented. */
  readonly between?: readonly { readonly state: string; readonly ms: number }[];
  /** From READY until the domains are assigned, or turn out not to be assignable. */
  readonly aliasMs?: number;
  readonly end?: DeploymentEnd;
  /** Lines of the build. */
  readonly logs?: readonly string[];
  /** Where a row of the events has its text. */
  readonly logTextIn?: 'text' | 'payload';
  /** Until then it is in no list. */
  readonly listedAfterMs?: number;
  /** By default a boolean where one deployment is shown, and the time in lists. */
  readonly aliasAssignedAs?: 'number' | 'boolean';
  /** What its pages answer; default 200 with the deployment's id. With `times`, only the first requests get this. */
  readonly page?: { readonly status: number; readonly body?: string; readonly times?: number };
}

export interface Moment {
  readonly state: string;
  readonly buildingAt?: number;
  readonly readyAt?: number;
  readonly canceledAt?: number;
  readonly errorAt?: number;
  /** When the domains were assigned, or failed to be. */
  readonly aliasesAt?: number;
}

const DEFAULT_QUEUED_MS = 100;
const DEFAULT_BUILDING_MS = 300;
const DEFAULT_ALIAS_MS = 100;

/** Where a deployment stands at one moment of its life. */
export function momentOf(life: DeploymentLife, createdAt: number, canceledAt: number | undefined, now: number): Moment {
  const until = Math.min(now, canceledAt ?? now);
  const moment = momentUnlessCanceled(life, createdAt, until);
  return canceledAt === undefined ? moment : { ...moment, state: 'CANCELED', canceledAt };
}

function momentUnlessCanceled(life: DeploymentLife, createdAt: number, now: number): Moment {
  const { queuedMs = DEFAULT_QUEUED_MS, buildingMs = DEFAULT_BUILDING_MS, end = { kind: 'ready' } } = life;
  let at = createdAt + queuedMs;
  if (now < at) return { state: 'QUEUED' };
  if (end.kind === 'blocked') return { state: 'BLOCKED', errorAt: at };
  for (const { state, ms } of life.between ?? []) {
    at += ms;
    if (now < at) return { state };
  }
  const buildingAt = at;
  at += buildingMs;
  if (end.kind === 'hang' || now < at) return { state: 'BUILDING', buildingAt };
  switch (end.kind) {
    case 'error':
      return { state: 'ERROR', buildingAt, errorAt: at };
    case 'canceled':
      return { state: 'CANCELED', buildingAt, canceledAt: at };
    case 'state':
      return { state: end.state, buildingAt };
    default: {
      const aliasesAt = at + (life.aliasMs ?? DEFAULT_ALIAS_MS);
      return { state: 'READY', buildingAt, readyAt: at, ...(now < aliasesAt ? {} : { aliasesAt }) };
    }
  }
}

/** Whether a deployment in this state can still be canceled. */
export function isUnderWay(state: string): boolean {
  return !['READY', 'CANCELED', 'BLOCKED'].includes(state) && !/ERROR$/.test(state);
}
