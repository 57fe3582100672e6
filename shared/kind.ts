import type { Clock } from './clock.ts';
import type { SubmitError } from './errors.ts';
import type { Files } from './files.ts';
import type { CiContext } from './host/ci-context.ts';
import type { EarlierOutputs, Outputs, SubjectTokenSource } from './host/host.ts';
import type { Answer, HttpCall } from './http/http.ts';
import type { CredentialSource } from './identity/credential.ts';
import type { ExchangeEnvironment } from './identity/exchange.ts';
import type { ServiceClient } from './identity/service-client.ts';
import type { Json, JsonObject } from './json.ts';
import { remainingSettings } from './settings/remaining-settings.ts';
import { type Faults, parseSettings, type Settings, type SettingValues } from './settings/settings.ts';

export type Phase = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

/** Why a job failed, as far as the service tells: whose problem it is decides what to do next. */
export type FailureCause = 'code' | 'infrastructure' | 'quota' | 'permission' | 'timeout';

export interface RunStatus {
  readonly phase: Phase;
  /** The service's own word for the state. */
  readonly word: string;
  /** The run is on its way to an end that is not decided yet (cancelling, terminating). */
  readonly ending?: boolean;
  /** The service's explanation of the state, untrusted. */
  readonly detail?: string;
  readonly failure?: { readonly cause: FailureCause; readonly message: string };
  readonly url?: string;
  /** What later steps can make use of before the run is over. */
  readonly outputs?: Outputs;
  /** When the service began with the run, in ms since the epoch, where it says. */
  readonly startedAt?: number;
  /** The states of the run's tasks, where it has several. */
  readonly parts: readonly { readonly name: string; readonly phase: Phase; readonly word: string }[];
  /** What the run has written since the last look, untrusted. */
  readonly newLines?: readonly string[];
  /** The answer that this was read from, for the outputs. */
  readonly source: Json;
}

/** Whether a run has come to its end, whatever end. */
export function isOver(status: RunStatus): boolean {
  return status.phase === 'succeeded' || status.phase === 'failed' || status.phase === 'cancelled';
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

/** What a successful answer to a submission names. */
export interface Submission {
  readonly id: string;
  /** Whether the answer's submission made the run, where the service tells that from a repeated one. */
  readonly isNew?: boolean;
}

/** The submission of a run that the answer names; undefined when it names none. */
export function submissionOf(id: string | undefined): Submission | undefined {
  return id === undefined ? undefined : { id };
}

/** What a job works with when it does more than one request. */
export interface JobEnvironment extends ExchangeEnvironment {
  readonly client: ServiceClient;
  readonly signal: AbortSignal;
}

/** How a run is cancelled. */
export interface Cancellation {
  call(id: string): HttpCall;
  /** A shell command that does it, for people. */
  command(id: string): string;
  /** Why an answer of success cancelled nothing; undefined when it did. */
  readonly refusal?: (answer: Answer) => CancellationRefusal | undefined;
}

export interface CancellationRefusal {
  readonly reason: string;
  /** Asking again would not help. */
  readonly isFinal: boolean;
}

/** What is left to tell when a run is over. */
export interface Conclusion {
  readonly outputs: Outputs;
  /** Untrusted texts to show, such as the end of a failed task's output. */
  readonly notes: readonly { readonly title: string; readonly lines: readonly string[] }[];
}

/** A bound job: settings are checked and closed over. Functions named `…Call` are pure; the others only ask the given client. */
export interface Job {
  /** What it is and where, on one line. */
  readonly title: string;
  /** Whose identity the service sees. */
  readonly identity: string;
  /** An address of the service, for opening a connection early. */
  readonly origin: string;
  /** The project, workspace or team at the origin, where neither the origin nor the payload names it. */
  readonly place?: string | undefined;
  /** What is submitted, before it is marked; undefined when an earlier run is attached to. */
  readonly payload: JsonObject | undefined;
  /** Seconds after which the service itself ends the job, as far as the payload says. */
  readonly serverTimeoutSeconds: number | undefined;
  /** Seconds after which nothing more can be expected, where it never takes long: a wait without a `timeout` ends then. */
  readonly longestSeconds?: number;
  /** The requests before the submission, with placeholders for tokens, for `dry-run`. */
  readonly callsBefore: readonly HttpCall[];
  credential(environment: ExchangeEnvironment): CredentialSource;
  /**
   * The same job completed with what only the service or a long look at the checkout tells. It comes after the credential, so
   * that a broken identity costs nothing, and changes nothing.
   */
  readonly prepare?: (environment: JobEnvironment) => Promise<Job>;
  submissionCall(payload: JsonObject, mark: SubmissionMark): HttpCall;
  /** What a successful answer to a submission names; undefined when the answer is not whole. */
  readSubmission(answer: Answer): Submission | undefined;
  /** Does what makes the next `submissionCall` fit after a refusal; false when nothing would. */
  readonly supply?: (refusal: Answer, environment: JobEnvironment) => Promise<boolean>;
  /** Whether the service itself recognises a repeated submission by its token. Else `find` must tell. */
  readonly recognisesRepeats: boolean;
  /** Asking again brings about the same state: there is no run that an identical submission could join. */
  readonly repeatable?: true;
  /** The runs that carry the key, oldest attempt first; undefined when the service cannot be asked that. */
  readonly find:
    | ((client: ServiceClient, key: string, signal: AbortSignal) => Promise<readonly FoundRun[]>)
    | undefined;
  status(client: ServiceClient, id: string, signal: AbortSignal): Promise<RunStatus>;
  /** Undefined where an accepted submission cannot be taken back. */
  readonly cancellation: Cancellation | undefined;
  /** What is left to do with a run that succeeded. It may turn the success into a failure. */
  readonly complete?: (id: string, status: RunStatus, environment: JobEnvironment) => Promise<RunStatus>;
  conclude(
    client: ServiceClient,
    id: string,
    status: RunStatus,
    signal: AbortSignal,
    clock: Clock,
  ): Promise<Conclusion>;
  /** The run that a user's reference means (an id or a full name); undefined when it cannot be one. */
  readReference(reference: string): string | undefined;
  url(id: string): string | undefined;
  /** What a refusal means (any status that is not 2xx and not worth repeating). */
  explain(call: HttpCall, answer: Answer): SubmitError;
  /** Whether a 429 means a lack of capacity and not of patience. */
  isCapacity(answer: Answer): boolean;
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
  bind(given: ReadonlyMap<string, Json>, binding: Binding): Promise<Job | undefined>;
}

/** Makes a kind of typed parts, so that the list of kinds needs no cast. */
export function defineKind<S extends Settings>(kind: {
  readonly id: string;
  readonly title: string;
  readonly settings: S;
  readonly outputs: Readonly<Record<string, string>>;
  checkSpec(spec: JsonObject | undefined, attach: boolean, faults: Faults): void;
  bind(values: SettingValues<S>, binding: Binding): Job | undefined | Promise<Job | undefined>;
}): JobKind {
  return {
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
  load(): Promise<JobKind>;
}
