/** Exit codes of both packagings. Buildkite gives 94, 125 and 255 meanings of its own, so they are never used. */
export const EXIT = {
  done: 0,
  jobFailed: 1,
  settings: 2,
  identity: 3,
  service: 4,
  deadline: 5,
  cancelledElsewhere: 6,
  fault: 70,
  // 128 and the signal's number, which for the user's signals is Linux's everywhere.
  hungUp: 129,
  interrupted: 130,
  quit: 131,
  userSignal1: 138,
  userSignal2: 140,
  terminated: 143,
} as const;

const SIGNAL_EXITS = {
  SIGHUP: EXIT.hungUp,
  SIGINT: EXIT.interrupted,
  SIGQUIT: EXIT.quit,
  SIGUSR1: EXIT.userSignal1,
  SIGUSR2: EXIT.userSignal2,
  SIGTERM: EXIT.terminated,
} as const;
type CancelSignal = keyof typeof SIGNAL_EXITS;

/** The signals by which a CI cancels a step. */
export const CANCEL_SIGNALS = Object.keys(SIGNAL_EXITS) as readonly CancelSignal[];

/** The exit code that a shell would give for the signal that cancelled the step, whose name is the reason of `signal`. */
export function exitCodeOf({ reason }: AbortSignal): number {
  return SIGNAL_EXITS[reason as CancelSignal] ?? EXIT.terminated;
}

/** What each exit code means, for the README's table. */
export const EXIT_MEANINGS: ReadonlyMap<number, string> = new Map<number, string>([
  [EXIT.done, 'The remote job succeeded (or was submitted, with `wait: false`; or was shown, with `dry-run: true`).'],
  [
    EXIT.jobFailed,
    'The remote job failed. The log and the `failure` output tell failed code from infrastructure, quota, permission and timeout.',
  ],
  [EXIT.settings, 'A setting or the spec is wrong. Nothing was sent.'],
  [EXIT.identity, 'The CI token is missing, an exchange was refused, or the identity lacks a permission.'],
  [EXIT.service, 'The service refused the request or cannot be reached.'],
  [
    EXIT.deadline,
    "The wait ended before the job did: `timeout` passed, or the CI's one token ran out. The message says what became of the job.",
  ],
  [EXIT.cancelledElsewhere, 'Somebody else cancelled the remote job.'],
  [EXIT.fault, 'A fault of keyless-submit itself. Please report it.'],
  ...Object.entries(SIGNAL_EXITS).map(
    ([name, code]) =>
      [
        code,
        `The step was cancelled with ${name}; the remote job was cancelled with it unless \`on-cancel: detach\`.`,
      ] as const,
  ),
]);

interface CatalogueEntry {
  readonly exit: number;
  /** For the README: when it happens and what to do. */
  readonly meaning: string;
}

/** Every way in which a run can end badly before or beside the remote job's own result. Codes are stable: scripts may rely on them. */
export const ERROR_CATALOGUE = {
  'invalid-settings': {
    exit: EXIT.settings,
    meaning:
      'One or more settings, or the spec, are wrong; all faults are listed together, with the nearest valid name. Nothing was sent.',
  },
  'token-missing': {
    exit: EXIT.identity,
    meaning:
      'The CI gave the step no OIDC token. Bitbucket: add `oidc: true` to the step. Buildkite: the agent could not get one; its own message is shown.',
  },
  'token-malformed': {
    exit: EXIT.identity,
    meaning: 'What the CI gave as its OIDC token is not a JSON Web Token with `iss`, `sub`, `aud` and `exp`.',
  },
  'token-expired': {
    exit: EXIT.identity,
    meaning:
      "The CI's OIDC token has expired before it was used. Start the step again; put the submission earlier in a long step.",
  },
  'token-audience': {
    exit: EXIT.identity,
    meaning:
      "The CI's OIDC token is meant for another audience. Ask for the one that is shown, or set `audience` to the one that the trust expects.",
  },
  'exchange-audience-format': {
    exit: EXIT.identity,
    meaning: "Google STS does not recognise `workload-identity-provider` as a provider's full resource name.",
  },
  'exchange-provider': {
    exit: EXIT.identity,
    meaning: 'The workload identity pool or provider does not exist, or is disabled or deleted.',
  },
  'exchange-audience': {
    exit: EXIT.identity,
    meaning: "The token's audience is not one that the provider or federation policy allows.",
  },
  'exchange-issuer': {
    exit: EXIT.identity,
    meaning: 'The provider is configured for another issuer than the one that signed the token.',
  },
  'exchange-stale': { exit: EXIT.identity, meaning: "The service regards the CI's token as expired." },
  'exchange-signature': {
    exit: EXIT.identity,
    meaning:
      "The service cannot verify the token's signature: its copy of the issuer's keys is another one, or the issuer cannot be reached from there.",
  },
  'exchange-condition': { exit: EXIT.identity, meaning: "The provider's attribute condition refuses this pipeline." },
  'exchange-mapping': {
    exit: EXIT.identity,
    meaning:
      "The provider's attribute mapping gives no usable value for this token (empty, longer than 127 bytes, or not a string).",
  },
  'exchange-policy': {
    exit: EXIT.identity,
    meaning:
      "No federation policy (or role of a secret broker) matches the token, or several do; on Databricks also a `client-id` that is missing or another principal's.",
  },
  'exchange-rejected': {
    exit: EXIT.identity,
    meaning: "The token exchange was refused for a reason that has no entry of its own; the service's words are shown.",
  },
  'secret-unavailable': {
    exit: EXIT.identity,
    meaning:
      'A secret that `secret-from` names cannot be read: the broker does not know it, refuses this identity, or gave something else than it should.',
  },
  'impersonation-denied': {
    exit: EXIT.identity,
    meaning:
      'The federated identity may not act as the service account (or the account does not exist, or the IAM Credentials API is off).',
  },
  'impersonation-lifetime': {
    exit: EXIT.identity,
    meaning: "The requested lifetime of the service account's token is longer than the organisation allows.",
  },
  'credential-rejected': {
    exit: EXIT.identity,
    meaning: 'The service does not accept the exchanged credential (401), also after it was renewed.',
  },
  'permission-denied': {
    exit: EXIT.identity,
    meaning: 'The identity is known but lacks a permission (403); the permission and the identity are shown.',
  },
  'act-as-denied': {
    exit: EXIT.identity,
    meaning: 'The submitter may not run jobs as the service account named in the spec (`iam.serviceAccounts.actAs`).',
  },
  'request-rejected': {
    exit: EXIT.service,
    meaning: 'The service refused the request as it is; its words are shown, field by field where it names fields.',
  },
  'quota-exceeded': {
    exit: EXIT.service,
    meaning:
      'A capacity quota (GPUs, CPUs, concurrent runs) does not allow the job. Waiting a little does not help; raise the quota or ask for less.',
  },
  'not-found': {
    exit: EXIT.service,
    meaning: 'The job, the run or the parent that a setting names does not exist there.',
  },
  'rate-limited': { exit: EXIT.service, meaning: 'The service still answered 429 after all retries.' },
  'service-unavailable': {
    exit: EXIT.service,
    meaning: 'The service cannot be reached, or kept failing (5xx, dropped connections) through all retries.',
  },
  'unreadable-answer': {
    exit: EXIT.service,
    meaning:
      'The service answered with something else than the documented JSON, such as a login page: usually a wrong host.',
  },
  'submission-unknown': {
    exit: EXIT.service,
    meaning:
      'The answer to the submission was lost and the job cannot be found by its key. Re-running the step finds it if it exists.',
  },
  'wait-deadline': {
    exit: EXIT.deadline,
    meaning:
      '`timeout` passed before the job ended. With `on-cancel: cancel` the job was cancelled; otherwise it keeps running.',
  },
  'wait-credential-ended': {
    exit: EXIT.deadline,
    meaning:
      'The CI gives a step one token only, and the credential obtained with it has expired. The job keeps running; wait for it in a later step with `attach`.',
  },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;

/**
 * The parts of a message: what happened; what was shown and what was wanted; what to do next. No part may hold a secret.
 * In the lists, «name» is a setting, to be shown in the spelling of the CI.
 */
export interface Explanation {
  readonly happened: string;
  readonly presented?: readonly string[];
  readonly expected?: readonly string[];
  /** The service's own words, untrusted. */
  readonly words?: string;
  readonly remedy: readonly string[];
  readonly link?: string;
  /** Waiting does not help: the same request fails until someone changes something. */
  readonly lasting?: boolean;
}

/** The one error that ends a run with a message of its own. It never carries a `cause`: errors of libraries hold tokens and claims. */
export class SubmitError extends Error {
  readonly code: ErrorCode;
  readonly explanation: Explanation;

  constructor(code: ErrorCode, explanation: Explanation) {
    super(explanation.happened);
    this.name = 'SubmitError';
    this.code = code;
    this.explanation = explanation;
  }

  get exitCode(): number {
    return ERROR_CATALOGUE[this.code].exit;
  }
}
