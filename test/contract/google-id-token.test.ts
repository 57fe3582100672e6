import { expect, test } from 'vitest';
import { SubmitError } from '../../shared/errors.ts';
import { googleIdTokenCredential } from '../../shared/google/id-token.ts';
import { plainGoogleTrust } from '../../shared/google/trust-settings.ts';
import { explainToUser } from '../../shared/host/explain-to-user.ts';
import { GOOGLE, providerName } from '../simulators/tenant.ts';
import { createStage, type Stage } from './harness.ts';
import type { Ci } from './kind-samples.ts';
import { CIS, exchangeStep } from './secrets-step.ts';

const AUDIENCE = '123456789012-iap.apps.googleusercontent.com';
const HOUR = 3_600_000;

async function idTokens(stage: Stage, ci: Ci, serviceAccount: string) {
  const audience = `https://iam.googleapis.com/${providerName(ci)}`;
  const step = await exchangeStep(stage, { ci, audience, settings: {} });
  const trust = { ...plainGoogleTrust(providerName(ci), serviceAccount, undefined), serviceAccount };
  const credential = googleIdTokenCredential(trust, AUDIENCE, step.exchange);
  const get = () => credential.get(new AbortController().signal);
  return { ...step, credential, get };
}

test.each(CIS)(
  '%s: an ID token of the service account for the audience, again only when it is about to end',
  async (ci) => {
    await using stage = await createStage();
    const { get, credential, printed } = await idTokens(stage, ci, GOOGLE.trainer);
    const first = await get();
    const token = first.headers.authorization?.reveal().replace(/^Bearer /, '') ?? '';
    expect(await stage.world.google.verifyIdToken(token, AUDIENCE)).toBe(true);
    expect(await stage.world.google.verifyIdToken(token, 'another')).toBe(false);
    expect(first.expiresAt).toBe(stage.clock.now() + HOUR);
    expect(printed()).toContain(`exchanged at STS, ID token of ${GOOGLE.trainer} for ${AUDIENCE}, valid for 60 min`);
    expect(printed()).not.toContain(token.slice(-16));
    expect((await get()).headers).toBe(first.headers);
    stage.clock.advance(HOUR - 30_000);
    const later = await get();
    expect(later.expiresAt).toBeGreaterThan(first.expiresAt);
    // Bitbucket's one token ends after an hour; an ID token got with it shortly before that lives an hour more.
    expect(credential.lastsUntil()).toBe(ci === 'bitbucket' ? later.expiresAt : undefined);
  },
);

test.each(CIS)('%s: an account that the step may not be is named with what lets it', async (ci) => {
  await using stage = await createStage();
  const { get, host, printed } = await idTokens(stage, ci, GOOGLE.runtime);
  const error = await get().catch((caught: unknown) => caught);
  if (!(error instanceof SubmitError)) throw error;
  explainToUser(error, host);
  expect(error.code).toBe('impersonation-denied');
  expect(printed()).toContain(`gcloud iam service-accounts add-iam-policy-binding ${GOOGLE.runtime}`);
});
