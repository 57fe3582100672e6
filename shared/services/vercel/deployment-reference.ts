import { SubmitError } from '../../errors.ts';
import { onlySubmission } from '../../host/earlier-outputs.ts';
import type { Outputs } from '../../host/host.ts';
import { readOutputsFile } from '../../host/outputs-file.ts';
import type { Binding } from '../../kind.ts';
import { plainLine } from '../../remote-text.ts';
import { readDeploymentId } from './deployment-id.ts';
import { GUIDE } from './errors.ts';

/** A deployment as its users name it. */
export interface DeploymentReference {
  /** As it was written, or what it was found to mean. */
  readonly title: string;
  /**
   * The deployment's id, or a host name of its.
   * @throws SubmitError `not-found` when an earlier step left none.
   */
  resolve(signal: AbortSignal): Promise<string>;
}

const DEPLOYMENT = 'vercel-deployment';

export const REFERENCE = /^(?:dpl_[A-Za-z0-9]+|(?:https:\/\/)?[a-z0-9-]+(?:\.[a-z0-9-]+)+\/?|file:.+|step:\S+)$/;

/** What a reference means, as far as that can be told here; undefined when a fault was added. */
export async function bindReference(
  written: string,
  { earlierOutputs, faults, files }: Binding,
): Promise<DeploymentReference | undefined> {
  if (written.startsWith('file:')) {
    const path = written.slice('file:'.length);
    const file = await readOutputsFile(path, files);
    const id = 'problem' in file ? undefined : deploymentOf(file.outputs);
    if (id !== undefined) return { title: id, resolve: async () => id };
    const problem =
      'problem' in file ? file.problem : `${plainLine(path, 200)} holds no deployment of vercel-deployment`;
    faults.add(
      'deployment',
      `${problem}; the outputs of the step that deployed are expected there (from its artifacts)`,
    );
    return undefined;
  }
  if (written.startsWith('step:')) {
    if (earlierOutputs === undefined) {
      faults.add('deployment', 'this CI keeps no outputs of steps; use file:PATH');
      return undefined;
    }
    const step = written.slice('step:'.length);
    return { title: written, resolve: async (signal) => fromStep(step, await earlierOutputs(step, signal)) };
  }
  const plain = written.replace(/^https:\/\//, '').replace(/\/$/, '');
  return { title: plain, resolve: async () => plain };
}

function fromStep(step: string, all: readonly Outputs[]): string {
  const id = deploymentOf(onlySubmission(all, { kind: DEPLOYMENT, setting: 'deployment', step }));
  if (id !== undefined) return id;
  throw new SubmitError('not-found', {
    happened: `The step ${plainLine(step, 100)} of this build left no deployment`,
    presented: [`«deployment»: step:${plainLine(step, 200)}`],
    expected: ['the key of a step of this build that ran vercel-deployment before this one'],
    remedy: ['Check the key, and that the step ran before this one (depends_on).'],
    link: GUIDE,
  });
}

function deploymentOf(outputs: Outputs | undefined): string | undefined {
  return outputs?.kind === DEPLOYMENT ? readDeploymentId(outputs.id) : undefined;
}
