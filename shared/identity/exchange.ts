import type { Clock } from '../clock.ts';
import type { Log, SubjectTokenSource } from '../host/host.ts';
import type { Http } from '../http/http.ts';
import type { Secret } from '../secret.ts';

/** What a token exchange works with. */
export interface ExchangeEnvironment {
  readonly http: Http;
  readonly clock: Clock;
  readonly log: Log;
  readonly subjectTokens: SubjectTokenSource;
  /** Makes the CI hide tokens; called before a new one is used. */
  readonly conceal: (secrets: readonly Secret[]) => Promise<void>;
}
