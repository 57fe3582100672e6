import type { SubmitError } from './errors.ts';
import type { Files } from './files.ts';
import type { CiContext } from './host/ci-context.ts';
import type { EarlierOutputs, Outputs, SubjectTokenSource } from './host/host.ts';
import type { Answer, HttpCall } from './http/http.ts';
import type { CredentialSource } from './identity/credential.ts';
import type { ExchangeEnvironment } from './identity/exchange.ts';
import type { Session } from './identity/session.ts';
import type { Json, JsonObject } from './json.ts';
import { remainingSettings } from './settings/remaining-settings.ts';
import { type Faults, parseSettings, type Settings, type SettingValues } from './settings/settings.ts';

// The contract between the story of a step (shared/run/) and the services. The types follow the life of a step: a Kind binds its
// settings to a Plan; a Plan is completed to a Submission; a Submission is delivered; a Run is watched and ended.

/** The unit of extension: everything about one way to submit work. */
export interface JobKind {
  readonly id: string;
  /** For headings: `Vertex AI custom job`. */
  readonly title: string;
  readonly settings: Settings;
  /** What it puts out when the run is over, by name, for the README. */
  readonly outputs: Readonly<Record<string, string>>;
  /** Checks the spec by itself, so that its faults are told together with those of the settings. */
  checkSpec(spec: JsonObject | undefined, attach: boolean, faults: Faults): void;
  /** Checks what is set and closes over it; undefined when a fault was added. */
  bind(given: ReadonlyMap<string, Json>, binding: Binding): Promise<Plan | undefined>;
}

/** What `bind` may look at besides the settings. */
export interface Binding {
  readonly context: CiContext;
  readonly subjectTokens: SubjectTokenSource;
  /** The parsed spec, placeholders filled and overrides applied. */
  readonly spec: JsonObject | undefined;
  /** An earlier job is waited for, so there is nothing to submit. */
  readonly attach: boolean;
  readonly timeoutSeconds: number;
  readonly files: Files;
  /** The outputs of an earlier step, by its key, where the CI keeps them. */
  readonly earlierOutputs: EarlierOutputs | undefined;
  readonly faults: Faults;
}

/** What a step is to do, complete as far as the settings tell. */
export type Plan = RunPlan | ChangePlan | AttachPlan;

interface PlanBase {
  /** What it is and where, on one line. */
  readonly title: string;
  readonly access: Access;
  /** Seconds after which nothing more can be expected, where it never takes long: a wait without a `timeout` ends then. */
  readonly longestSeconds: number | undefined;
  /** What can be done with a run that exists, as far as the settings tell. */
  readonly run: Run;
}

/** Something new that happens once and ends by itself. */
export interface RunPlan extends PlanBase {
  readonly does: 'run';
  /** Seconds after which the service itself ends the run, as far as the payload says. */
  readonly serverTimeoutSeconds: number | undefined;
  readonly submission: RunSubmission | Draft<RunSubmission>;
}

/** Something that is there is brought to a state. Asking again finds nothing to do. */
export interface ChangePlan extends PlanBase {
  readonly does: 'change';
  readonly submission: Draft<Change>;
}

/** A run that exists is waited for. */
export interface AttachPlan extends PlanBase {
  readonly does: 'attach';
}

/** Where a service is, and as whom it is asked: the same for all of its kinds. */
export interface Access {
  /** Whose identity the service sees. */
  readonly identity: string;
  /** An address of the service, for opening a connection early. */
  readonly origin: string;
  /** The project, workspace or team at the origin, where neither the origin nor the payload names it. */
  readonly place: string | undefined;
  /** The requests that lead to a credential, with placeholders for tokens, for `dry-run`. */
  readonly logins: readonly HttpCall[];
  /** The headers by which a request carries the credential. */
  readonly secretHeaders: readonly string[];
  credential(environment: ExchangeEnvironment): CredentialSource;
  /** What a refusal means (any status that is not 2xx and not worth repeating). */
  explain(call: HttpCall, answer: Answer): SubmitError;
  /** Whether a 429 means a lack of capacity and not of patience. */
  isCapacity(answer: Answer): boolean;
}

/** A submission that only the service, or a long look at the checkout, can complete. */
export interface Draft<S extends Submission> {
  readonly stage: 'draft';
  readonly payload: JsonObject;
  /** The requests that complete it, for `dry-run`. */
  readonly lookUps: readonly HttpCall[];
  /** The submission as far as it is known, for `dry-run`. */
  preview(mark: SubmissionMark): HttpCall;
  /** It comes after the credential, so that a broken identity costs nothing, and changes nothing. */
  prepare(session: Session): Promise<S>;
}

/** What is sent, complete. */
export type Submission = RunSubmission | Change;

export interface RunSubmission {
  readonly stage: 'ready';
  /** What makes it this submission and no other, before it is marked. */
  readonly payload: JsonObject;
  readonly delivery: Exclude<Delivery, ByState>;
  readonly run: Run;
}

export interface Change {
  readonly stage: 'ready';
  readonly payload: JsonObject;
  readonly delivery: ByState;
}

/** How a submission is made exactly once. */
export type Delivery = ByToken | ByName | ByMark | ByState;

/** The service remembers a token of ours and answers a repeated submission with the same run. */
export interface ByToken {
  readonly by: 'token';
  create(mark: SubmissionMark): HttpCall;
  /** The run that a successful answer names; undefined when the answer is not whole. */
  read(answer: Answer): { readonly id: string; readonly made: 'now' | 'before' | 'unknown' } | undefined;
}

/** The run's id is ours to choose; a second create is refused as a conflict. */
export interface ByName {
  readonly by: 'name';
  id(mark: SubmissionMark): string;
  create(mark: SubmissionMark): HttpCall;
  /** Whether a refusal means that the id is taken. */
  isTaken(refusal: Answer): boolean;
  /** Whether what carries the id is what this submission would make; undefined when nothing does. */
  isOurs(session: Session, mark: SubmissionMark): Promise<boolean | undefined>;
}

/** The service keeps a mark of ours (label, name, metadata) and lists by it. */
export interface ByMark {
  readonly by: 'mark';
  create(mark: SubmissionMark): HttpCall;
  /** The run that a successful answer names; undefined when the answer is not whole. */
  read(answer: Answer): string | undefined;
  find: FindRuns;
  /** Gives the service what a refusal asks for, such as files; false when it is refused for another reason. */
  readonly supply: ((refusal: Answer, session: Session) => Promise<boolean>) | undefined;
}

/** The service shows what it is now; reading back tells whether a change came through. */
export interface ByState {
  readonly by: 'state';
  /** What is changed, by its id. */
  readonly id: string;
  /** What is there and what is to be; empty when there is nothing to do. */
  readonly differences: readonly Difference[];
  /** The same was asked for before and is being carried out. */
  readonly isUnderWay: boolean;
  /** The request, under a precondition where the service takes one. */
  readonly apply: HttpCall;
  /** Reads what is there; undefined while it does not show that the request came through, by this step's hand or another's. */
  readBack(session: Session): Promise<Json | undefined>;
  /** How the change is watched, by the answer to `apply` or what was read back, where there is one. */
  run(accepted: Answer | undefined, readBack: Json | undefined): Run;
}

/** One thing that a change brings about, in untrusted text. */
export interface Difference {
  readonly name: string;
  readonly before: string | undefined;
  readonly after: string;
}

/** What marks one attempt at a submission. */
export interface SubmissionMark {
  /** 64 hex digits, the same for every attempt. */
  readonly key: string;
  readonly attempt: number;
  /** 64 hex digits, for this attempt only. */
  readonly token: string;
}

/** A run that exists, with the attempt that made it where the service keeps that. */
export interface FoundRun {
  readonly id: string;
  readonly attempt: number;
}

/** The runs that carry a submission key, oldest attempt first. */
export type FindRuns = (session: Session, key: string) => Promise<readonly FoundRun[]>;

/** What can be done with a run that exists. */
export interface Run {
  /** The run that a user's reference means (an id or a full name); undefined when it cannot be one. */
  readReference(reference: string): string | undefined;
  /** Its page, where the id alone tells. */
  url(id: string): string | undefined;
  /** Undefined when the service cannot be asked by key. */
  readonly find: FindRuns | undefined;
  status(session: Session, id: string): Promise<RunStatus>;
  /** What the run writes while it is watched. */
  readonly log: ((id: string) => RunLog) | undefined;
  /** Why a run whose status `isLate` does not begin: asked now and then, since it takes several requests. */
  readonly whyLate: ((session: Session, status: RunStatus) => Promise<string>) | undefined;
  /** Undefined where what was accepted cannot be taken back. */
  readonly cancellation: Cancellation | undefined;
  /** What is left to do with a run that succeeded. It may turn the success into a failure. */
  readonly complete: ((session: Session, id: string, status: RunStatus) => Promise<RunStatus>) | undefined;
  /** What is left to tell when it is over. */
  conclude(session: Session, id: string, status: RunStatus): Promise<Conclusion>;
}

/** What most runs have not. */
export const NOTHING_MORE = { log: undefined, whyLate: undefined, complete: undefined } as const;

/** Reads what a run writes, each line once. Made by a watch, which it lasts as long as. */
export interface RunLog {
  /** What is new. A refusal or a lost answer costs lines only until the next time. */
  next(session: Session): Promise<readonly string[]>;
  /** All that is left when the run is over; of very much only the beginning and the end. */
  rest(session: Session, status: RunStatus): Promise<readonly string[]>;
}

/** How a run is cancelled. */
export interface Cancellation {
  call(id: string): HttpCall;
  /** A shell command that does it, for people. */
  command(id: string): string;
  /** Why an answer of success cancelled nothing; undefined when it did. */
  refusal(answer: Answer): CancellationRefusal | undefined;
}

export interface CancellationRefusal {
  readonly reason: string;
  /** Asking again would not help. */
  readonly isFinal: boolean;
}

export type Phase = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

/** Why a job failed, as far as the service tells: whose problem it is decides what to do next. */
export type FailureCause = 'code' | 'infrastructure' | 'quota' | 'permission' | 'timeout';

export interface Failure {
  readonly cause: FailureCause;
  /** Untrusted. */
  readonly message: string;
}

export interface RunStatus {
  readonly phase: Phase;
  /** The service's own word for the state. */
  readonly word: string;
  /** The run is on its way to an end that is not decided yet (cancelling, terminating). */
  readonly ending?: boolean;
  /** The run is due and has not begun. */
  readonly isLate?: boolean;
  /** The service's explanation of the state, untrusted. */
  readonly detail?: string;
  readonly failure?: Failure;
  readonly url?: string;
  /** What later steps can make use of before the run is over. */
  readonly outputs?: Outputs;
  /** When the service began with the run, in ms since the epoch, where it says. */
  readonly startedAt?: number;
  /** The states of the run's tasks, where it has several. */
  readonly parts: readonly { readonly name: string; readonly phase: Phase; readonly word: string }[];
  /** The answer that this was read from, for the outputs. */
  readonly source: Json;
}

/** Whether a run has come to its end, whatever end. */
export function isOver(status: RunStatus): boolean {
  return status.phase === 'succeeded' || status.phase === 'failed' || status.phase === 'cancelled';
}

/** What is left to tell when a run is over. */
export interface Conclusion {
  readonly outputs: Outputs;
  /** Untrusted texts to show, such as the end of a failed task's output. */
  readonly notes: readonly { readonly title: string; readonly lines: readonly string[] }[];
}

/** Makes a kind of typed parts, so that the list of kinds needs no cast. */
export function defineKind<S extends Settings>(kind: {
  readonly id: string;
  readonly title: string;
  readonly settings: S;
  readonly outputs: Readonly<Record<string, string>>;
  checkSpec?(spec: JsonObject | undefined, attach: boolean, faults: Faults): void;
  bind(values: SettingValues<S>, binding: Binding): Plan | undefined | Promise<Plan | undefined>;
}): JobKind {
  return {
    checkSpec: () => undefined,
    ...kind,
    bind: async (given, binding) => {
      const values = parseSettings(kind.settings, given, binding.faults);
      if (values !== undefined) return kind.bind(values, binding);
      const remaining = remainingSettings(kind.settings, given, binding.faults);
      if (remaining !== undefined) await kind.bind(remaining.values, { ...binding, faults: remaining.faults });
      return undefined;
    },
  };
}

/** A kind as the list of all has it: a run loads only its own. */
export interface ListedKind {
  readonly id: string;
  readonly title: string;
  /** The module of the kind. */
  load(): Promise<{ readonly kind: JobKind }>;
}
