import { SubmitError } from '../../errors.ts';
import type { Outputs } from '../../host.ts';
import { isObject, parseJson, textAt } from '../../json.ts';
import { plainLine } from '../../remote-text.ts';
import type { Binding } from '../job-kind.ts';
import { GUIDE } from './vercel-errors.ts';

/** A deployment as its users name it. */
export interface DeploymentReference {
  /** As it was written, or what it was found to mean. */
  readonly title: string;
  /**
   * The deployment's id, or a host name of its.
   * @throws SubmitError `not-found` when an earlier step left none.
   */
  resolve(): Promise<string>;
}

export const REFERENCE = /^(?:dpl_[A-Za-z0-9]+|(?:https:\/\/)?[a-z0-9-]+(?:\.[a-z0-9-]+)+\/?|file:.+|step:\S+)$/;

const OUTPUTS_LIMIT_BYTES = 1024 * 1024;

/** What a reference means, as far as that can be told here; undefined when a fault was added. */
export async function bindReference(
  written: string,
  { earlierOutputs, faults, files }: Binding,
): Promise<DeploymentReference | undefined> {
  if (written.startsWith('file:')) {
    const file = await files.read(written.slice('file:'.length), OUTPUTS_LIMIT_BYTES);
    if ('problem' in file) {
      faults.add('deployment', `${file.problem}; it is written by the step that deploys, and must reach this one`);
      return undefined;
    }
    const id = deploymentOf(parsedOutputs(file.text));
    if (id === undefined) {
      faults.add('deployment', `${plainLine(written, 200)} holds no deployment of vercel-deployment`);
      return undefined;
    }
    return { title: id, resolve: async () => id };
  }
  if (written.startsWith('step:')) {
    if (earlierOutputs === undefined) {
      faults.add('deployment', 'this CI keeps no outputs of steps; use file:PATH');
      return undefined;
    }
    const step = written.slice('step:'.length);
    return { title: written, resolve: async () => fromStep(step, await earlierOutputs(step)) };
  }
  const plain = written.replace(/^https:\/\//, '').replace(/\/$/, '');
  return { title: plain, resolve: async () => plain };
}

function fromStep(step: string, outputs: Outputs | undefined): string {
  const id = deploymentOf(outputs);
  if (id !== undefined) return id;
  throw new SubmitError('not-found', {
    happened: `The step ${plainLine(step, 100)} of this build left no deployment`,
    presented: [`«deployment» step:${plainLine(step, 100)}`],
    expected: ['the key of a step that ran vercel-deployment before this one'],
    remedy: ['Check the key, and that this step depends on that one.'],
    link: GUIDE,
  });
}

function parsedOutputs(text: string): Outputs | undefined {
  try {
    const outputs = parseJson(text);
    if (!isObject(outputs)) return undefined;
    return Object.fromEntries(Object.keys(outputs).map((name) => [name, textAt(outputs, name) ?? '']));
  } catch {
    return undefined;
  }
}

function deploymentOf(outputs: Outputs | undefined): string | undefined {
  const id = outputs?.kind === 'vercel-deployment' ? outputs.id : undefined;
  return id !== undefined && /^dpl_[A-Za-z0-9]+$/.test(id) ? id : undefined;
}
