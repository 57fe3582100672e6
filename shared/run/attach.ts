import { SubmitError } from '../errors.ts';
import type { Files } from '../files.ts';
import { onlySubmission } from '../host/earlier-outputs.ts';
import type { Host, Outputs } from '../host/host.ts';
import { readOutputsFile } from '../host/outputs-file.ts';
import type { Session } from '../identity/session.ts';
import type { JobKind, Run } from '../kind.ts';
import { plainLine } from '../remote-text.ts';
import type { Delivered } from './deliver/delivery-environment.ts';
import { LIST_DELAYS_MS, lookRepeatedly } from './deliver/look-up.ts';

interface AttachEnvironment {
  readonly host: Host;
  readonly session: Session;
  readonly files: Files;
}

/**
 * The run that `attach` means: `step:KEY`, `file:PATH`, `key:HEX`, an id or a full name.
 * @throws SubmitError `not-found` when there is no such submission, `invalid-settings` when the outputs are not of one.
 */
export async function resolveAttachment(
  reference: string,
  kind: JobKind,
  run: Run,
  { host, files, session }: AttachEnvironment,
): Promise<Delivered> {
  const [scheme, ...rest] = reference.split(':');
  const value = rest.join(':');
  if (scheme === 'key') {
    const look = async () => (await run.find?.(session, value))?.at(-1);
    const found = await lookRepeatedly(look, LIST_DELAYS_MS, session);
    session.signal.throwIfAborted();
    if (found === undefined) throw nothingThere(`No job carries the submission key ${value}`, host);
    return { ...found, origin: 'found', run };
  }
  if (scheme === 'step') {
    const all = (await host.earlierOutputs?.(value, session.signal)) ?? [];
    const outputs = onlySubmission(all, { kind: kind.id, setting: 'attach', step: value });
    return fromOutputs(outputs, reference, kind, run, host);
  }
  if (scheme === 'file') {
    const file = await readOutputsFile(value, files);
    if ('problem' in file) throw nothingThere(`The outputs cannot be read: ${file.problem}`, host);
    return fromOutputs(file.outputs, reference, kind, run, host);
  }
  return { id: run.readReference(reference) ?? reference, attempt: 1, origin: 'found', run };
}

/**
 * Looks whether the outputs file that `attach` names is there, before anything is sent.
 * @throws SubmitError `invalid-settings` when it is not.
 */
export async function requireOutputsFile(reference: string | undefined, files: Files): Promise<void> {
  if (reference?.startsWith('file:') !== true) return;
  const file = await readOutputsFile(reference.slice('file:'.length), files);
  if (!('problem' in file)) return;
  throw new SubmitError('invalid-settings', {
    happened: 'The outputs file to attach by cannot be read; nothing was sent',
    presented: [`«attach»: ${file.problem}`],
    remedy: [
      'Check that the step which submitted the job ran before, and that its outputs reach this step (artifacts on Bitbucket).',
    ],
  });
}

function fromOutputs(outputs: Outputs | undefined, reference: string, kind: JobKind, run: Run, host: Host): Delivered {
  const id = outputs?.id === undefined || outputs.kind !== kind.id ? undefined : run.readReference(outputs.id);
  if (id === undefined) {
    throw nothingThere(
      `${plainLine(reference, 200)} holds no submission of ${kind.id} that could be attached to`,
      host,
    );
  }
  const attempt = Number(outputs?.attempt);
  return { id, attempt: Number.isSafeInteger(attempt) && attempt > 0 ? attempt : 1, origin: 'found', run };
}

function nothingThere(happened: string, host: Host): SubmitError {
  return new SubmitError('not-found', {
    happened,
    presented: [`${host.spell('attach')} ${plainLine(String(host.settings.get('attach')), 200)}`],
    expected: ['the outputs of an earlier step of the same build that submitted the job, or the id that it printed'],
    remedy: [
      'Check that the earlier step ran before this one and submitted a job of the same kind, and that its outputs reach this step (artifacts on Bitbucket).',
    ],
  });
}
