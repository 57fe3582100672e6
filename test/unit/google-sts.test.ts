import { expect, test } from 'vitest';
import { network } from '../../shared/edge/network.ts';
import { systemClock } from '../../shared/edge/node.ts';
import { googleCredential } from '../../shared/google/credential.ts';
import { loginCalls } from '../../shared/google/trust.ts';
import { plainGoogleTrust } from '../../shared/google/trust-settings.ts';
import { createHttp, HTTP_TIMINGS } from '../../shared/http/http.ts';
import { Secret } from '../../shared/secret.ts';
import { serve } from '../simulators/serve.ts';
import { providerName } from '../simulators/tenant.ts';
import { createWorld } from '../simulators/world.ts';
import { recordingHost } from './recording-host.ts';

const trust = plainGoogleTrust(providerName('bitbucket'), undefined, undefined);
const [audience] = trust.demand.audiences;

/** The credential that the CI's token is exchanged for, over our own transport. */
function exchange(simulators: string, token: string) {
  const { transport } = network({ KEYLESS_SUBMIT_SIMULATORS: simulators });
  const { host } = recordingHost();
  const subjectTokens = { ...host.subjectTokens, getSubjectToken: async () => new Secret(token) };
  const http = createHttp(transport, systemClock, HTTP_TIMINGS);
  const { conceal, log } = host;
  const credential = googleCredential(trust, { http, clock: systemClock, log, conceal, subjectTokens });
  return credential.get(new AbortController().signal);
}

test('the library’s exchange goes over our transport and gives the federated token', async () => {
  await using world = await createWorld();
  const { headers } = await exchange(world.url, await world.bitbucketToken({ audiences: [audience] }));
  expect(world.google.issuedTokens().map((token) => `Bearer ${token}`)).toEqual([headers.authorization?.reveal()]);
});

test('the exchange that the library sends is, field by field, the one that dry-run shows', async () => {
  await using world = await createWorld();
  const token = await world.bitbucketToken({ audiences: [audience] });
  await exchange(world.url, token);
  const fields = (body: string) => [...new URLSearchParams(body)].sort();
  const sent = world.requests
    .filter(({ host }) => host === 'sts.googleapis.com')
    .map(async ({ method, host, path, headers, body }) => ({
      request: `${method} https://${host}${path}`,
      type: headers.get('content-type'),
      fields: fields(await body()),
    }));
  const shown = loginCalls(trust).map(({ method, url, headers, body }) => ({
    request: `${method} ${url}`,
    type: headers?.['content-type'],
    fields: fields(String(body).replace(encodeURIComponent('[redacted]'), token)),
  }));
  expect(await Promise.all(sent)).toEqual(shown);
});

test('a redirect is not followed: the token goes nowhere else, and what is there is not believed', async () => {
  await using world = await createWorld();
  const seen: string[] = [];
  const elsewhere = await serve(async (request) => {
    seen.push(await request.text());
    return Response.json({ access_token: 'forged-access-token', expires_in: 3600 });
  });
  const redirecting = await serve(async () => Response.redirect(`${elsewhere.url}/v1/token`, 307));
  const attempt = exchange(redirecting.url, await world.bitbucketToken({ audiences: [audience] }));
  await expect(attempt).rejects.toMatchObject({ code: 'unreadable-answer' });
  expect(seen).toEqual([]);
  await elsewhere.close();
  await redirecting.close();
});
