import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { checkoutFiles } from '../../shared/edge/checkout-files.ts';
import { SubmitError } from '../../shared/errors.ts';
import type { Host } from '../../shared/host/host.ts';
import type { FoundRun, JobKind } from '../../shared/kind.ts';
import { requireOutputsFile, resolveAttachment } from '../../shared/run/attach.ts';
import { fakeRun, fakeSession } from './fake-plan.ts';
import { recordingHost } from './recording-host.ts';

const folder = await mkdtemp(join(tmpdir(), 'keyless-attach-'));
afterAll(() => rm(folder, { recursive: true }));
const OUTPUTS = { kind: 'kind', id: 'jobs/7', attempt: '3' };
await writeFile(join(folder, 'outputs.json'), JSON.stringify(OUTPUTS));
await writeFile(join(folder, 'numbers.json'), '{"kind":"kind","id":"jobs/7","attempt":2,"tasks":[]}');
await writeFile(join(folder, 'first.json'), '{"kind":"kind","id":"jobs/7"}');
await writeFile(join(folder, 'other.json'), JSON.stringify({ ...OUTPUTS, kind: 'other' }));
await writeFile(join(folder, 'nameless.json'), '{"kind":"kind"}');
await writeFile(join(folder, 'foreign.json'), JSON.stringify({ ...OUTPUTS, id: 'x' }));
await writeFile(join(folder, 'list.json'), '[]');
await writeFile(join(folder, 'broken.json'), '{"kind":');
await writeFile(join(folder, 'large.json'), `{"kind":"kind","id":"jobs/7","x":"${'x'.repeat(1024 * 1024)}"}`);

const files = checkoutFiles(folder);
const KIND = { id: 'kind' } as JobKind;
const KEY = 'a'.repeat(64);

async function attached(
  reference: string,
  given: { found?: readonly FoundRun[]; earlier?: Host['earlierOutputs'] } = {},
) {
  const { host } = recordingHost({
    settings: new Map([['attach', reference]]),
    ...(given.earlier === undefined ? {} : { earlierOutputs: given.earlier }),
  });
  const run = fakeRun({
    find: async (_session, key) => (key === KEY ? (given.found ?? []) : []),
    readReference: (text) => (/^jobs\/\d+$/.test(text) ? text : /^\d+$/.test(text) ? `jobs/${text}` : undefined),
  });
  const { run: attachedTo, ...delivered } = await resolveAttachment(reference, KIND, run, {
    host,
    files,
    session: fakeSession(),
  });
  expect(attachedTo).toBe(run);
  return delivered;
}

describe('what a step attaches to', () => {
  it.each([
    ['jobs/7', { id: 'jobs/7', attempt: 1 }],
    ['7', { id: 'jobs/7', attempt: 1 }],
    ['file:outputs.json', { id: 'jobs/7', attempt: 3 }],
    ['file:numbers.json', { id: 'jobs/7', attempt: 2 }],
    ['file:first.json', { id: 'jobs/7', attempt: 1 }],
  ])('by %s', async (reference, expected) => {
    expect(await attached(reference)).toEqual({ ...expected, origin: 'found' });
  });

  it('by a submission key is its latest attempt', async () => {
    const found = [
      { id: 'jobs/1', attempt: 1 },
      { id: 'jobs/2', attempt: 2 },
    ];
    expect(await attached(`key:${KEY}`, { found })).toEqual({ id: 'jobs/2', attempt: 2, origin: 'found' });
  });

  it.each(['train', 'a:b'])('by the step %s is what that step published', async (step) => {
    const earlier = async (key: string) => (key === step ? [OUTPUTS] : []);
    expect(await attached(`step:${step}`, { earlier })).toEqual({ id: 'jobs/7', attempt: 3, origin: 'found' });
  });

  it.each([
    [`key:${KEY}`, new RegExp(KEY)],
    ['step:nobody', /step:nobody/],
    ['file:other.json', /holds no submission of kind/],
    ['file:nameless.json', /holds no submission/],
    ['file:foreign.json', /holds no submission/],
    ['file:list.json', /holds no submission/],
    ['file:broken.json', /holds no submission/],
    ['file:gone.json', /gone\.json does not exist/],
    ['file:large.json', /large\.json has 1\.0 MiB/],
  ])('is not there: %s', async (reference, words) => {
    const error = await attached(reference, { earlier: async () => [] }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(SubmitError);
    expect(error).toMatchObject({ code: 'not-found', message: expect.stringMatching(words) });
    expect((error as SubmitError).explanation.presented).toEqual([`attach ${reference}`]);
  });

  it('is not there by a step, where the CI keeps no outputs', async () => {
    await expect(attached('step:train')).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe('the outputs file to attach by', () => {
  it.each([undefined, 'jobs/7', 'step:train', 'file:outputs.json', 'file:broken.json'])(
    'is as it must be: %s',
    async (reference) => {
      await requireOutputsFile(reference, files);
    },
  );

  it.each(['file:gone.json', 'file:../outputs.json', 'file:'])(
    'is missed before anything is sent: %s',
    async (reference) => {
      await expect(requireOutputsFile(reference, files)).rejects.toMatchObject({ code: 'invalid-settings' });
    },
  );
});
