import { heldValues, unverifiedIssuer } from './vercel-policies.ts';
import { oidcTokenFailure, verifyOidcToken } from './verify-oidc-token.ts';

/** By issuer: whose tokens may see which of a project's environments (https://vercel.com/docs/deployment-protection). */
export type TrustedSources = Readonly<Record<string, readonly TrustedSource[]>>;

export interface TrustedSource {
  readonly label: string;
  /** All of them have to hold one of their values, to the letter. */
  readonly claims: Readonly<Record<string, readonly string[]>>;
  readonly to: { readonly slugs: readonly string[] };
}

/** What the dashboard refuses: every source pins an audience and somebody's identity. */
export function checkTrustedSources(sources: TrustedSources): void {
  for (const [issuer, each] of Object.entries(sources)) {
    const identities = issuer.startsWith('https://api.bitbucket.org/')
      ? ['workspaceUuid', 'repositoryUuid', 'sub']
      : ['sub'];
    for (const { label, claims } of each) {
      if ((claims.aud ?? []).length === 0) throw new Error(`The trusted source ${label} pins no audience`);
      if (!identities.some((name) => (claims[name] ?? []).length > 0)) {
        throw new Error(`The trusted source ${label} pins none of ${identities.join(', ')}`);
      }
    }
  }
}

/** Whether a token opens an environment of a project. */
export async function isTrusted(
  token: string,
  environment: string,
  sources: TrustedSources,
  options: { readonly outbound: (url: string) => Promise<Response>; readonly now: () => number },
): Promise<boolean> {
  const issuer = unverifiedIssuer(token);
  if (issuer === undefined || !Object.hasOwn(sources, issuer)) return false;
  const candidates = sources[issuer] ?? [];
  try {
    const held = await verifyOidcToken(token, { issuer, ...options });
    return candidates.some(
      ({ claims, to }) =>
        to.slugs.includes(environment) &&
        Object.entries(claims).every(([name, values]) =>
          heldValues(held[name]).some((value) => values.includes(value)),
        ),
    );
  } catch (error) {
    if (oidcTokenFailure(error) === undefined) throw error;
    return false;
  }
}
