import { expect, test } from 'vitest';
import { network } from '../../shared/edge/network.ts';
import { systemClock } from '../../shared/edge/node.ts';
import { exchangeAtSts } from '../../shared/google/sts.ts';
import { googleDemand } from '../../shared/google/trust.ts';
import { createHttp, HTTP_TIMINGS } from '../../shared/http/http.ts';
import { readSubjectToken } from '../../shared/identity/subject-token.ts';
import { Secret } from '../../shared/secret.ts';
import { serve } from '../simulators/serve.ts';
import { providerName } from '../simulators/tenant.ts';
import { createWorld } from '../simulators/world.ts';

const provider = providerName('bitbucket');
const trust = {
  provider,
  serviceAccount: undefined,
  delegates: [],
  lifetimeSeconds: 3600,
  universeDomain: 'googleapis.com',
  demand: googleDemand(provider, undefined, true),
};

async function exchange(simulators: string, token: string) {
  const { transport } = network({ KEYLESS_SUBMIT_SIMULATORS: simulators });
  const http = createHttp(transport, systemClock, HTTP_TIMINGS);
  return exchangeAtSts(trust, readSubjectToken(new Secret(token)), http, new AbortController().signal, []);
}

test('the library’s exchange goes over our transport and gives the federated token', async () => {
  await using world = await createWorld();
  const token = await world.bitbucketToken({ audiences: [`https://iam.googleapis.com/${provider}`] });
  const { token: federated } = await exchange(world.url, token);
  expect(world.google.issuedTokens()).toEqual([federated.reveal()]);
});

test('a redirect is not followed: the token goes nowhere else, and what is there is not believed', async () => {
  await using world = await createWorld();
  const seen: string[] = [];
  const elsewhere = await serve(async (request) => {
    seen.push(await request.text());
    return Response.json({ access_token: 'forged-access-token', expires_in: 3600 });
  });
  const redirecting = await serve(async () => Response.redirect(`${elsewhere.url}/v1/token`, 307));
  const attempt = exchange(redirecting.url, await world.bitbucketToken());
  await expect(attempt).rejects.toMatchObject({ code: 'unreadable-answer' });
  expect(seen).toEqual([]);
  await elsewhere.close();
  await redirecting.close();
});
