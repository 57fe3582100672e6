import { UnsecuredJWT } from 'jose';
import { expect, test } from 'vitest';
import type { Log } from '../../shared/host/host.ts';
import type { Http, HttpCall } from '../../shared/http/http.ts';
import { Secret } from '../../shared/secret.ts';
import { vercelCredential } from '../../shared/services/vercel/credential.ts';
import { virtualClock } from '../contract/virtual-clock.ts';

const { signal } = new AbortController();
const silent = () => undefined;
const log: Log = {
  section: silent,
  info: silent,
  success: silent,
  warning: silent,
  error: silent,
  debug: silent,
  remote: silent,
  link: (url) => url,
};

test('a token whose end nobody told is ended all the same, also long after the CI token ended', async () => {
  const clock = virtualClock();
  const sent: string[] = [];
  const answer = async ({ url, body }: HttpCall) => {
    sent.push(`${new URL(url).pathname} ${new URLSearchParams(String(body)).get('token') ?? ''}`);
    return { kind: 'answer', status: 200, contentType: 'application/json', text: '{"access_token":"given"}' } as const;
  };
  const http: Http = { once: answer, persist: answer, warm: silent, reportingTo: () => http };
  const token = new UnsecuredJWT({})
    .setIssuer('https://agent.buildkite.com')
    .setSubject('a step')
    .setAudience('vercel')
    .setExpirationTime(clock.now() / 1000 + 300)
    .encode();
  const credential = vercelCredential(
    { team: 'acme', project: 'web', clientId: 'cl_x', policyId: undefined, audience: 'vercel', acceptsDefault: false },
    {
      http,
      clock,
      log,
      conceal: async () => undefined,
      subjectTokens: {
        renewable: true,
        getSubjectToken: async () => new Secret(token),
        isDefaultAudience: () => false,
        howToRequest: () => [],
        changingSubject: () => undefined,
      },
    },
  );
  await credential.get(signal);
  await clock.sleep(600_000, signal);
  await credential.release?.(signal);
  expect(sent).toEqual(['/login/oauth/token ', '/login/oauth/token/revoke given']);
});
