import type { Json } from '../json.ts';
import type { Secret } from '../secret.ts';
import type { CiContext } from './ci-context.ts';
import type { Report } from './report.ts';

/** Where a CI's OIDC tokens come from. */
export interface SubjectTokenSource {
  /** Whether a new token can be had at any time (else the step has one token, and it ends with it). */
  readonly renewable: boolean;
  /**
   * A JSON Web Token of the CI for `audience`.
   * @throws SubmitError `token-missing` with what the user must add to the pipeline.
   */
  getSubjectToken(request: SubjectTokenRequest): Promise<Secret>;
  /** Whether `audience` is the one that this CI uses when none is asked for: only the service can say whether it is trusted. */
  isDefaultAudience(audience: string): boolean;
  /** What to write into the pipeline so that the token is made for `audience`; `setting` is what it is called there. */
  howToRequest(audience: string, setting?: string): readonly string[];
  /** Why the token's subject is another one in each run, with what helps; undefined where it stays the same. */
  changingSubject(): string | undefined;
}

interface SubjectTokenRequest {
  readonly audience: string;
  /** Seconds of life that the exchange can make use of. A source that cannot choose ignores it. */
  readonly lifetimeSeconds?: number;
  readonly signal: AbortSignal;
}

/** What a part of the log is about: it decides how the part is shown. */
export type Section = 'identity' | 'submit' | 'wait' | 'request' | 'cancel' | 'result' | 'error';

/** The log of one step, in the style of its CI. Text from a service goes through `remote` only. */
export interface Log {
  section(kind: Section, title: string): void;
  info(line: string): void;
  success(line: string): void;
  warning(line: string): void;
  error(line: string): void;
  debug(line: string): void;
  /** Lines of untrusted text, made harmless and set apart. */
  remote(lines: readonly string[]): void;
  /** How a link is written in this log. */
  link(url: string): string;
}

/** A job that runs. */
interface RunningJob {
  readonly kind: string;
  readonly id: string;
}

/** A submission that was sent and not answered yet: the job may exist. */
export interface SentJob {
  readonly kind: string;
  /** The submission key, 64 hex digits. */
  readonly key: string;
  readonly attempt: number;
}

/** What a later hook needs to cancel the job when this process was killed. */
export type RememberedJob = RunningJob | SentJob;

/** A continuous integration service: settings and facts in, tokens, log, report and outputs out. */
export interface Host {
  readonly context: CiContext;
  /** What the user set, by canonical (kebab-case) name; unknown names are still in it. */
  readonly settings: ReadonlyMap<string, Json>;
  /** Where strangers to the step can read what is set, as the end of a sentence; undefined where nobody can. */
  readonly whereSettingsShow?: string;
  /** A setting's name as users of this CI write it. */
  spell(setting: string): string;
  readonly subjectTokens: SubjectTokenSource;
  readonly log: Log;
  /** Tells the CI to hide the values in everything that the step prints. */
  conceal(secrets: readonly Secret[]): Promise<void>;
  /** Shows or updates the report on the submission of `key`. It may reject: the run then warns and continues. */
  report(report: Report, key: string): Promise<void>;
  /** Removes a report, if there is one. It may reject. */
  removeReport(key: string): Promise<void>;
  /**
   * Hands the outputs of the submission of `key` to later steps: `interim` ones are what is known while the step still waits.
   * It may reject: the run then warns and continues. Returns where they can be found, for people.
   */
  publish(outputs: Outputs, stage: 'interim' | 'final', key: string): Promise<readonly string[]>;
  /** What would keep `publish` from writing its files, by setting. Asked before the first request. */
  publishProblems(): Promise<readonly { readonly setting: string; readonly problem: string }[]>;
  /** The outputs of each submission that a step of this build published, by the step's key. Only where the CI keeps them. */
  readonly earlierOutputs?: EarlierOutputs;
  /** The outputs that were published in this build for the submission of `key`, where the CI keeps them. */
  previousOutputs(key: string, signal?: AbortSignal): Promise<Outputs | undefined>;
  /** Keeps what was sent or is running until `forget`, for the second chance to cancel. It replaces what was kept before. */
  remember(job: RememberedJob): Promise<void>;
  forget(): Promise<void>;
  /** Whether a cancelled step gets time to act (else the cancel command is printed early). */
  readonly graceOnCancel: boolean;
}

/** Outputs by name, as text; structured ones are JSON text. */
export type Outputs = Readonly<Record<string, string>>;

/** The outputs of each submission that the step with this key published. */
export type EarlierOutputs = (step: string, signal: AbortSignal) => Promise<readonly Outputs[]>;
