import type { Json } from '../../shared/json.ts';
import { DATABRICKS, providerName } from '../simulators/tenant.ts';
import type { World } from '../simulators/world.ts';
import type { FileTree } from './folders.ts';
import { asVariables, runPipe } from './pipe.ts';
import { runPlugin } from './plugin.ts';
import type { Ended, Env } from './process.ts';
import type { RecordedCall } from './recording-agent.ts';

export const CIS = ['bitbucket', 'buildkite'] as const;
export type Ci = (typeof CIS)[number];
export type StepSettings = Readonly<Record<string, Json>>;

export interface StepOptions {
  readonly world: World;
  readonly settings: StepSettings;
  readonly checkout?: FileTree;
  readonly env?: Env;
  /** What stands between the step and the simulators, where something does. */
  readonly simulators?: string;
}

export interface StepEnded extends Ended {
  readonly files: FileTree;
  /** None on Bitbucket. */
  readonly agentCalls: readonly RecordedCall[];
}

/** Runs the same settings through one of the packagings, as its own CI does. */
export async function runStep(ci: Ci, { world, settings, simulators = world.url, ...options }: StepOptions): Promise<StepEnded> {
  if (ci === 'buildkite') return runPlugin({ simulators, config: settings, ...options });
  const token = await stepToken(world);
  return { ...(await runPipe({ simulators, token, variables: asVariables(settings), ...options })), agentCalls: [] };
}

/** The token of a Bitbucket step that asks for the audiences of both services. */
export function stepToken(world: World): Promise<string> {
  return world.bitbucketToken({
    audiences: [`https://iam.googleapis.com/${providerName('bitbucket')}`, `https://${DATABRICKS.host}/oidc/v1/token`],
  });
}
