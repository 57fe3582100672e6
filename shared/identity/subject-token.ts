import { decodeJwt, type JWTPayload } from 'jose';
import { type Clock, formatDuration, isoTime } from '../clock.ts';
import { SubmitError } from '../errors.ts';
import type { Log, SubjectTokenSource } from '../host/host.ts';
import { defined } from '../json.ts';
import { plainLine } from '../remote-text.ts';
import type { Secret } from '../secret.ts';

/** The CI's token as it is presented to a service, with what it says. Only the service verifies its signature. */
export interface SubjectToken {
  readonly token: Secret;
  readonly issuer: string;
  readonly subject: string;
  readonly audiences: readonly string[];
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** What a service expects of the token. */
export interface SubjectTokenDemand {
  /** Asked of CIs that can choose; the first of `audiences`. */
  readonly audiences: readonly [string, ...string[]];
  /** Whether a token with the CI's own default audience may be presented too (the service may have been told to trust it). */
  readonly acceptsDefault: boolean;
  readonly lifetimeSeconds?: number;
}

/** Clock difference that services tolerate. */
const SKEW_MS = 30_000;

/**
 * Gets a token from the CI and checks what can be checked before it is sent: form, expiry, audience (RFC 7519, section 4.1).
 * @throws SubmitError `token-missing`, `token-malformed`, `token-expired`, `token-audience`.
 */
export async function getSubjectToken(
  source: SubjectTokenSource,
  demand: SubjectTokenDemand,
  clock: Clock,
  signal: AbortSignal,
): Promise<SubjectToken> {
  const [audience] = demand.audiences;
  const { lifetimeSeconds } = demand;
  const token = await source.getSubjectToken({ audience, signal, ...defined({ lifetimeSeconds }) });
  const subjectToken = readSubjectToken(token);
  const now = clock.now();
  if (subjectToken.expiresAt <= now) {
    throw new SubmitError('token-expired', {
      happened: `The CI's OIDC token expired ${formatDuration(now - subjectToken.expiresAt)} ago`,
      presented: describeToken(subjectToken),
      expected: [`a token that is valid at ${new Date(now).toISOString()}`],
      remedy: [
        'Start the step again for a new token; in a long step, put the submission first, or in a step of its own.',
      ],
    });
  }
  const notBefore = subjectToken.claims.nbf;
  if (typeof notBefore === 'number' && notBefore * 1000 > now + SKEW_MS) {
    throw new SubmitError('token-malformed', {
      happened: `The CI's OIDC token is not valid before ${isoTime(notBefore * 1000) ?? 'a time that no clock reaches'}`,
      presented: describeToken(subjectToken),
      expected: [`a token that is valid at ${new Date(now).toISOString()}`],
      remedy: ["Check this machine's clock."],
    });
  }
  const matches =
    subjectToken.audiences.some((value) => demand.audiences.includes(value)) ||
    (demand.acceptsDefault && subjectToken.audiences.some((value) => source.isDefaultAudience(value)));
  if (!matches) {
    throw new SubmitError('token-audience', {
      happened: "The CI's OIDC token is meant for another audience; nothing was sent",
      presented: describeToken(subjectToken),
      expected: [`audience ${demand.audiences.join(' or ')}`],
      remedy: source.howToRequest(audience),
    });
  }
  return subjectToken;
}

/**
 * Reads the claims of a token without verifying it.
 * @throws SubmitError `token-malformed`. The error holds no part of the token.
 */
function readSubjectToken(token: Secret): SubjectToken {
  let claims: JWTPayload;
  try {
    claims = decodeJwt(token.reveal());
  } catch {
    // jose's message is left out: it may quote what it could not parse.
    throw malformed('it is not a JSON Web Token (three base64url parts with a JSON payload)');
  }
  const { iss, sub, aud, exp } = claims;
  if (typeof iss !== 'string' || typeof sub !== 'string' || typeof exp !== 'number' || aud === undefined) {
    const missing = Object.entries({ iss, sub, aud, exp }).flatMap(([name, value]) =>
      value === undefined ? [name] : [],
    );
    throw malformed(
      missing.length > 0 ? `it lacks ${missing.join(', ')}` : 'its iss, sub, aud or exp has the wrong type',
    );
  }
  const audiences = (Array.isArray(aud) ? aud : [aud]).map(String);
  return { token, issuer: iss, subject: sub, audiences, expiresAt: exp * 1000, claims };
}

function malformed(why: string): SubmitError {
  return new SubmitError('token-malformed', {
    happened: `What the CI gave as its OIDC token cannot be used: ${why}`,
    expected: ['a JSON Web Token with iss, sub, aud and exp'],
    remedy: ['Check that nothing in the pipeline overwrites the variable or the command that the token comes from.'],
  });
}

// The claims that trust is bound to, in both CIs' words; the others say nothing about who is asking.
const TELLING_CLAIMS = [
  'workspaceUuid',
  'repositoryUuid',
  'deploymentEnvironmentUuid',
  'branchName',
  'organization_slug',
  'organization_id',
  'pipeline_slug',
  'pipeline_id',
  'cluster_id',
  'queue_id',
  'build_branch',
  'build_tag',
  'build_source',
  'step_key',
] as const;

/** Issuer, subject, audience and the claims that trust is bound to, one a line. Never the token. */
export function describeToken(token: SubjectToken): readonly string[] {
  return tokenRows(token).map(([name, value]) => `${name} ${value}`);
}

function tokenRows(token: SubjectToken): readonly (readonly [name: string, value: string])[] {
  const { issuer, subject, audiences, expiresAt, claims } = token;
  const telling = TELLING_CLAIMS.flatMap((name) => {
    const value = claims[name];
    return value === undefined || value === null || value === ''
      ? []
      : [[name, plainLine(String(value), 200)] as const];
  });
  return [
    ['issuer', plainLine(issuer, 300)],
    ['subject', plainLine(subject, 400)],
    ['audience', audiences.map((value) => plainLine(value, 300)).join(', ')],
    ['expires', isoTime(expiresAt) ?? 'never'],
    ...telling,
  ];
}

/** Prints who is asking, as a small table. */
export function logToken(log: Log, token: SubjectToken): void {
  const rows = tokenRows(token);
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, value] of rows) log.info(`${name.padEnd(width)}  ${value}`);
}
