import { plainLine } from '../remote-text.ts';
import type { SubjectToken } from './subject-token.ts';

// Claims that stay the same from run to run and that no stranger can have.
const PIPELINE_CLAIMS = ['repositoryUuid', 'pipeline_id'] as const;
const STABLE_CLAIMS = ['deploymentEnvironmentUuid', ...PIPELINE_CLAIMS] as const;

/** A claim's name and its value. */
export type Claim = readonly [name: string, value: string];

/** The first of the claims that the token has as text. */
export function firstClaim({ claims }: SubjectToken, names: readonly string[]): Claim | undefined {
  for (const name of names) {
    const value = claims[name];
    if (typeof value === 'string' && value !== '') return [name, value];
  }
  return undefined;
}

/** The claim that names the repository or pipeline, whatever is run there. */
export function pipelineClaim(subject: SubjectToken): Claim | undefined {
  return firstClaim(subject, PIPELINE_CLAIMS);
}

/** The claim that trust is best bound to: the deployment environment, else the pipeline. */
export function stableClaim(subject: SubjectToken): Claim | undefined {
  return firstClaim(subject, STABLE_CLAIMS);
}

/** The audience of the token that was asked for on purpose, else its first. */
export function likelyAudience(wanted: readonly string[], { audiences }: SubjectToken): string {
  return plainLine(audiences.find((audience) => wanted.includes(audience)) ?? audiences[0] ?? '', 300);
}
