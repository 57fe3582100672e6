import {
  IdentityPoolClient,
  type IdentityPoolClientOptions,
} from 'google-auth-library/build/src/auth/identitypoolclient.js';
import { StsCredentials } from 'google-auth-library/build/src/auth/stscredentials.js';
import { type Answer, answerJson, type Http } from '../http/http.ts';
import type { Secret } from '../secret.ts';
import { type GoogleTrust, providerAudience, SCOPE, tokenUrl } from './trust.ts';

type Adapter = NonNullable<NonNullable<IdentityPoolClientOptions['transporterOptions']>['adapter']>;

/** The library's client, but for its exchange using the transporter that it is given; by itself it makes one of its own there. */
class FederatedClient extends IdentityPoolClient {
  constructor(options: IdentityPoolClientOptions, tokenExchangeEndpoint: string) {
    super(options);
    this.stsCredential = new StsCredentials({ tokenExchangeEndpoint, transporter: this.transporter });
  }
}

/**
 * Exchanges the CI's token at Google's security token service (RFC 8693).
 * https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token
 * @returns the service's answer, which may be a refusal.
 * @throws SubmitError that the service cannot be used.
 */
export async function exchangeAtSts(
  trust: GoogleTrust,
  subjectToken: Secret,
  http: Http,
  signal: AbortSignal,
): Promise<Answer> {
  const endpoint = tokenUrl(trust);
  let answer: Answer | undefined;
  let failure: unknown;

  // Over our own HTTP: timeouts, Retry-After, and no redirect, which would take the token along.
  const adapter = async (options: Parameters<Adapter>[0]) => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const body = String(options.body ?? options.data);
    answer = await http
      .persist({ method: 'POST', url: String(options.url), headers, body }, signal)
      .catch((error: unknown) => {
        failure = error;
        throw error;
      });
    // The members of a response that the library reads.
    return { config: options, data: answerJson(answer), status: answer.status, ok: answer.status === 200 };
  };

  const options: IdentityPoolClientOptions = {
    type: 'external_account',
    audience: providerAudience(trust),
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: endpoint,
    universe_domain: trust.universeDomain,
    scopes: [SCOPE],
    transporterOptions: {
      adapter: adapter as unknown as Adapter,
      // Repeats are ours to make; the library's own would multiply them.
      retryConfig: { retry: 0, noResponseRetries: 0 },
      // So is the way through a proxy: where a variable names one, the library would load an agent of its own.
      noProxy: [/^/],
    },
    subject_token_supplier: { getSubjectToken: async () => subjectToken.reveal() },
  };
  // A client for each exchange: its own cache goes by the machine's clock and by age, ours by what the service said.
  // Its errors are not looked at, since they carry the token; what happened is told by the answer.
  await new FederatedClient(options, endpoint).getAccessToken().catch(() => undefined);
  if (failure !== undefined) throw failure;
  if (answer === undefined) throw new TypeError('the library made no exchange');
  return answer;
}
