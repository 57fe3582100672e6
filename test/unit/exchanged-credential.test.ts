import { UnsecuredJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { googleCredential } from '../../shared/google/credential.ts';
import { plainGoogleTrust } from '../../shared/google/trust-settings.ts';
import type { Answer, Http, HttpCall } from '../../shared/http/http.ts';
import type { ExchangeEnvironment } from '../../shared/identity/exchange.ts';
import { type Json, stringifyJson } from '../../shared/json.ts';
import { Secret } from '../../shared/secret.ts';
import { bindSecrets, secretSettings } from '../../shared/secrets/secret-settings.ts';
import { databricksCredential } from '../../shared/services/databricks/credential.ts';
import { vercelCredential } from '../../shared/services/vercel/credential.ts';
import { collectFaults, parseSettings } from '../../shared/settings/settings.ts';
import { virtualClock } from '../contract/virtual-clock.ts';
import { recordingHost } from './recording-host.ts';

const { signal } = new AbortController();
const MINUTE = 60_000;
const UUID = '8b0c1d2e-3f40-4a5b-9c6d-7e8f90a1b2c3';
const ACCOUNT = 'ci@acme-ml.iam.gserviceaccount.com';
const PROVIDER = 'projects/1/locations/global/workloadIdentityPools/pool/providers/ci';

const TOLD = /^(?:log|info:) (?:exchanged|logged in) at /;
const REFUSED: Answer = { kind: 'answer', status: 403, contentType: 'application/json', text: '{"error":"no"}' };

/** What uses one exchange: `use` makes a request that needs it. */
interface User {
  readonly use: (environment: ExchangeEnvironment) => () => Promise<unknown>;
  /** What is issued, by the end of the address, without and with its life in seconds. */
  readonly issues: Readonly<Record<string, (issued: string, seconds: number | undefined) => Json>>;
}

const oauth = (issued: string, seconds: number | undefined): Json => ({
  access_token: issued,
  ...(seconds === undefined ? {} : { expires_in: seconds }),
});
const sts = (issued: string, seconds: number | undefined): Json => ({
  AssumeRoleWithWebIdentityResponse: {
    AssumeRoleWithWebIdentityResult: {
      Credentials: {
        AccessKeyId: `key-id-of-${issued}`,
        SecretAccessKey: `key-of-${issued}`,
        SessionToken: issued,
        ...(seconds === undefined ? {} : { Expiration: now() / 1000 + seconds }),
      },
    },
  },
});

let now = (): number => 0;

/** A secret of a broker, which is read with what the exchange gave. */
function broker(settings: Readonly<Record<string, Json>>): User['use'] {
  return (environment) => {
    const { host } = recordingHost();
    const faults = collectFaults((name) => name);
    const values = parseSettings(secretSettings, new Map(Object.entries(settings)), faults);
    if (values === undefined) throw new Error(faults.messages.join());
    const { context, subjectTokens } = host;
    const source = bindSecrets(values, ['api-key'], { context, faults, subjectTokens }).get('api-key');
    return async () => source?.read(environment, signal);
  };
}

const USERS: Readonly<Record<string, User>> = {
  Databricks: {
    use: (environment) => {
      const origin = 'https://dbc.example';
      const place = { host: 'dbc.example', origin, workspaceId: undefined, clientId: UUID };
      const credential = databricksCredential({ ...place, audience: 'ci', acceptsDefault: false }, environment);
      return () => credential.get(signal);
    },
    issues: { '/oidc/v1/token': oauth },
  },
  Vercel: {
    use: (environment) => {
      const policy = { team: 'acme', project: 'web', clientId: 'cl_x', policyId: undefined };
      const credential = vercelCredential({ ...policy, audience: 'ci', acceptsDefault: false }, environment);
      return () => credential.get(signal);
    },
    issues: { '/login/oauth/token': oauth },
  },
  Google: {
    use: (environment) => {
      const credential = googleCredential(plainGoogleTrust(PROVIDER, undefined, 'ci'), environment);
      return () => credential.get(signal);
    },
    issues: { '/v1/token': oauth },
  },
  'Azure Key Vault': {
    use: broker({
      'azure-tenant': UUID,
      'azure-client-id': UUID,
      'secret-audience': 'ci',
      'secret-from': { 'api-key': 'azure:acme-ci/prefect' },
    }),
    issues: { '/oauth2/v2.0/token': oauth },
  },
  'AWS Secrets Manager': {
    use: broker({
      'aws-role': 'arn:aws:iam::123456789012:role/ci',
      'aws-region': 'us-east-1',
      'secret-audience': 'ci',
      'secret-from': { 'api-key': 'aws:ci/prefect' },
    }),
    issues: { 'sts.us-east-1.amazonaws.com/': sts },
  },
};

/** Those whose life the answer to the exchange does not tell. */
const OTHERS: Readonly<Record<string, User>> = {
  'a service account of Google': {
    use: (environment) => {
      const credential = googleCredential(plainGoogleTrust(PROVIDER, ACCOUNT, 'ci'), environment);
      return () => credential.get(signal);
    },
    issues: { '/v1/token': oauth },
  },
  Vault: {
    use: broker({
      'vault-address': 'https://vault.example',
      'vault-role': 'ci',
      'secret-audience': 'ci',
      'secret-from': { 'api-key': 'vault:secret/ci/prefect#key' },
    }),
    issues: { '/v1/auth/jwt/login': (issued) => ({ auth: { client_token: issued, policies: ['ci'] } }) },
  },
};

/** A CI whose tokens live ten minutes, and services that issue 1, 2, 3… and keep the key. */
function world({ issues }: User, seconds: number | undefined) {
  const clock = virtualClock();
  now = clock.now;
  const { host, lines } = recordingHost();
  const events: string[] = [];
  const exchanges: HttpCall[] = [];
  const tokens: string[] = [];
  const answer = (body: Json): Answer => {
    const text = stringifyJson(body);
    tokens.push(...(text.match(/[\w-]*issued-\d+/g) ?? []));
    return { kind: 'answer', status: 200, contentType: 'application/json', text };
  };
  const persist = async (call: HttpCall): Promise<Answer> => {
    const headers = Object.values(call.secretHeaders ?? {}).map((header) => header.reveal());
    events.push(`send ${[call.body, ...headers].join(' ')}`);
    const issue = Object.entries(issues).find(([end]) => call.url.endsWith(end))?.[1];
    if (call.url.endsWith(':generateAccessToken')) {
      const expireTime = new Date(clock.now() + 15 * MINUTE).toISOString();
      return answer({ accessToken: `given-for-issued-${exchanges.length}`, expireTime });
    }
    if (issue === undefined)
      return answer({ value: 'the-key', SecretString: 'the-key', data: { data: { key: 'the-key' } } });
    exchanges.push(call);
    return answer(issue(`issued-${exchanges.length}`, seconds));
  };
  const http: Http = { once: persist, persist, warm: () => undefined, reportingTo: () => http };
  const environment: ExchangeEnvironment = {
    http,
    clock,
    log: {
      ...host.log,
      info: (line) => {
        host.log.info(line);
        events.push(`log ${line}`);
      },
    },
    conceal: async (secrets) => void events.push(...secrets.map((each) => `conceal ${each.reveal()}`)),
    subjectTokens: {
      ...host.subjectTokens,
      getSubjectToken: async ({ audience }) => {
        const token = new UnsecuredJWT({})
          .setIssuer('https://agent.buildkite.com')
          .setSubject('a step')
          .setAudience(audience)
          .setExpirationTime((clock.now() + 10 * MINUTE) / 1000)
          .encode();
        tokens.push(token);
        return new Secret(token);
      },
    },
  };
  return { clock, environment, events, exchanges, lines, tokens };
}

describe.each(Object.entries({ ...USERS, ...OTHERS }))('the exchange for %s', (_name, user) => {
  test('conceals each token before it uses it, and before it logs anything that the token led to', async () => {
    const { environment, events, tokens } = world(user, 900);
    await user.use(environment)();
    const [presented = '', ...issued] = tokens;
    const at = (pattern: RegExp) => events.findIndex((event) => pattern.test(event));
    expect(events.slice(0, at(/^log /))).toEqual([`conceal ${presented}`]);
    expect(issued).toContain('issued-1');
    for (const token of issued) {
      const concealed = events.indexOf(`conceal ${token}`);
      expect(concealed, token).toBeGreaterThan(0);
      expect(concealed, token).toBeLessThan(at(TOLD));
      const used = events.findIndex((event) => event.startsWith('send ') && event.split(/[ =/]/).includes(token));
      if (used >= 0) expect(concealed, token).toBeLessThan(used);
    }
  });

  test('is told once, with whom it presented, and not again for each renewal', async () => {
    const { clock, environment, exchanges, lines } = world(user, 900);
    const use = user.use(environment);
    for (let renewal = 0; renewal < 3; renewal += 1) {
      await use();
      clock.advance(15 * MINUTE);
    }
    expect(exchanges).toHaveLength(3);
    expect(lines.filter((line) => line.startsWith('info: issuer '))).toHaveLength(1);
    const told = lines.filter((line) => TOLD.test(line));
    expect(told).toEqual([expect.stringMatching(/, (?:valid for 15 min|policies ci)$/)]);
  });

  test('that is refused and tried again tells once with whom', async () => {
    const { environment, lines } = world(user, 900);
    const refusing = { ...environment.http, persist: async () => REFUSED };
    let http: Http = refusing;
    const persist: Http['persist'] = (call, abort) => http.persist(call, abort);
    const use = user.use({ ...environment, http: { ...refusing, persist } });
    await expect(use()).rejects.toThrow();
    http = environment.http;
    await use();
    expect(lines.filter((line) => line.startsWith('info: issuer '))).toHaveLength(1);
  });
});

describe.each(Object.entries(USERS))('what is exchanged for %s', (_name, user) => {
  test("lasts to the end of the CI's token where the service does not say how long", async () => {
    const { clock, environment, exchanges } = world(user, undefined);
    const use = user.use(environment);
    await use();
    clock.advance(9 * MINUTE - 1);
    await use();
    expect(exchanges).toHaveLength(1);
    clock.advance(1);
    await use();
    expect(exchanges).toHaveLength(2);
  });
});
