import { describe, expect, it } from 'vitest';
import { SubmitError } from '../../shared/errors.ts';
import type { Files } from '../../shared/files.ts';
import type { Host } from '../../shared/host/host.ts';
import type { Json, JsonObject } from '../../shared/json.ts';
import { type Binding, defineKind, type JobKind, type Run, type RunPlan } from '../../shared/kind.ts';
import { type BoundRun, bindRun } from '../../shared/run/bind.ts';
import { specSettings } from '../../shared/settings/run-settings.ts';
import { flag, list, secret, secretMap, text } from '../../shared/settings/settings.ts';
import { listedSettings } from '../../tools/kinds.ts';
import { fakePlan, fakeRun } from './fake-plan.ts';
import { recordingHost } from './recording-host.ts';

type Given = Readonly<Record<string, Json>>;

const HEX = 'ab'.repeat(32);
const FILES: Readonly<Record<string, string>> = {
  'job.yaml': 'image: train:@{commit}\nargs: []\n',
  'main.yaml': 'image: main',
  'list.yaml': '- 1',
  'bad.yaml': 'image: @{comit}',
};

const described = { description: '', expected: 'words', example: 'x' };

interface Step {
  readonly settings: Given;
  readonly env?: Readonly<Record<string, string>>;
  readonly host?: Partial<Host>;
  readonly run?: Partial<Run>;
  readonly plan?: Partial<Pick<RunPlan, 'longestSeconds' | 'serverTimeoutSeconds'>>;
}

interface Bound {
  /** What came of it, or what is wrong. */
  readonly of: BoundRun | SubmitError;
  readonly faults: readonly string[];
  /** What the kind was given to bind. */
  readonly values: JsonObject | undefined;
  readonly binding: Binding | undefined;
  /** The specs that the kind was asked to check, each with whether an earlier job is attached to. */
  readonly checked: readonly (readonly [JsonObject | undefined, boolean])[];
  readonly concealed: readonly string[];
}

/** Binds a step of a kind `train`, which stands among others, on a CI that spells settings in capitals. */
async function bound({ settings, env = {}, host: changes = {}, run = {}, plan = {} }: Step): Promise<Bound> {
  const checked: (readonly [JsonObject | undefined, boolean])[] = [];
  const concealed: string[] = [];
  let values: JsonObject | undefined;
  let binding: Binding | undefined;
  const train = defineKind({
    id: 'train',
    title: 'Training job',
    settings: {
      ...specSettings('The job.', 'job.yaml'),
      name: text({ ...described, pattern: /^[^ ]+$/ }),
      args: list(described),
      'api-key': secret(described),
      'env-keys': secretMap({ ...described, names: /^/, values: /^/ }),
    },
    outputs: {},
    checkSpec: (spec, attach, faults) => {
      checked.push([spec, attach]);
      if (spec?.image === undefined && !attach) faults.add('spec', 'needs an image');
    },
    bind: ({ name, args, 'api-key': key }, given) => {
      values = { name: name ?? '', args: args ?? [], key: key?.reveal() ?? '' };
      binding = given;
      if (name === 'none') given.faults.add('name', 'is not free');
      return fakePlan({
        run: fakeRun({
          readReference: (reference) => (/^\d+$/.test(reference) ? reference : undefined),
          find: async () => [],
          ...run,
        }),
        ...plan,
      });
    },
  });
  const other = (id: string, own: JobKind['settings']) =>
    ({ ...train, id, settings: { name: text(described), ...own } }) satisfies JobKind;
  const kinds = [
    train,
    other('serve', { port: text(described), image: text(described) }),
    other('tune', { port: text(described), 'tune-key': secret(described) }),
  ];
  const files: Pick<Files, 'read'> = {
    read: async (path) => {
      const found = FILES[path];
      return found === undefined ? { problem: `${path} does not exist` } : { text: found };
    },
  };
  const spell = (setting: string) => setting.toUpperCase().replaceAll('-', '_');
  const { host } = recordingHost({
    settings: new Map(Object.entries(settings)),
    spell,
    conceal: async (secrets) => void concealed.push(...secrets.map((each) => each.reveal())),
    ...changes,
  });
  const of = await bindRun({
    host,
    hostSettings: { pause: flag({ description: '' }) },
    kinds: kinds.map((kind) => ({ ...kind, load: async () => ({ kind }) })),
    kindSettings: listedSettings(kinds),
    files: files as Files,
    env,
    protectedVariables: { has: (name) => name === 'CI_TOKEN' },
  }).catch((error: unknown) => error as SubmitError);
  const faults = of instanceof SubmitError ? (of.explanation.presented ?? []) : [];
  return { of, faults, values, binding, checked, concealed };
}

const SPEC = { image: 'x' };
const TRAIN = { job: 'train', spec: SPEC };

describe('what is wrong with the settings', () => {
  it.each<[string, Given, readonly string[]]>([
    ['nothing is set', {}, ['JOB: is required: one of train, serve, tune']],
    [
      'the job is misspelt, and what every job has is wrong too',
      { job: 'trian', wait: 'maybe', pause: 7, nonsense: 1 },
      [
        'JOB: expected one of train, serve, tune; got "trian"',
        'WAIT: expected true or false; got "maybe"',
        'PAUSE: expected true or false; got 7',
      ],
    ],
    ['a setting of the CI', { ...TRAIN, pause: 'x' }, ['PAUSE: expected true or false; got "x"']],
    ['a setting of the job', { ...TRAIN, name: 'a b' }, ['NAME: expected words; got "a b"']],
    ['a setting is misspelt', { ...TRAIN, 'dry-rum': true }, ['DRY_RUM: is not a setting; did you mean DRY_RUN?']],
    [
      'settings of other jobs',
      { ...TRAIN, port: '1', image: 'x' },
      ['PORT: belongs to serve and tune; remove it or change JOB', 'IMAGE: belongs to serve; remove it or change JOB'],
    ],
    ['the job itself finds it', { ...TRAIN, name: 'none' }, ['NAME: is not free']],
    ['there is no spec', { job: 'train' }, ['SPEC: needs an image']],
    ['the spec is not there', { ...TRAIN, spec: 'gone.yaml' }, ['SPEC: gone.yaml does not exist']],
    [
      'the spec is no mapping',
      { ...TRAIN, spec: 'list.yaml' },
      ["list.yaml: expected a mapping (the request's fields by name); found a list"],
    ],
    [
      'the spec is of another sort',
      { ...TRAIN, spec: 7 },
      ['SPEC: expected a path in the checkout, or a mapping; got 7'],
    ],
    [
      'fields of the spec are of another sort',
      { ...TRAIN, set: 7 },
      ['SET: expected values by path, such as {"tasks[0].task_key": "train"}; got 7'],
    ],
    [
      'a placeholder in a setting',
      { ...TRAIN, name: '@{comit}' },
      ['NAME: @{comit} is not a placeholder; did you mean @{commit}?'],
    ],
    [
      'a placeholder in a path',
      { ...TRAIN, spec: 'a/@{tag}.yaml' },
      ['SPEC: @{tag} has no value in this build', 'SPEC: a/@{tag}.yaml does not exist'],
    ],
    [
      'a placeholder in a spec, told once',
      { ...TRAIN, spec: { image: '@{tag}' } },
      ['SPEC: @{tag} has no value in this build'],
    ],
  ])('%s', async (_what, settings, faults) => {
    const step = await bound({ settings });
    expect(step.faults).toEqual(faults);
    expect(step.of).toMatchObject({ code: 'invalid-settings' });
  });

  it.each([
    [1, 'A setting is wrong; nothing was sent', 'Correct it and', undefined],
    [2, '2 faults in the settings; nothing was sent', 'Correct them and', undefined],
    [100, '100 faults in the settings; nothing was sent', 'Correct them and', undefined],
    [103, '103 faults in the settings; nothing was sent', 'Correct them and', '… and 3 more'],
  ])('is told as %i', async (count, happened, remedy, rest) => {
    const unknown = Array.from({ length: count }, (_, at) => [`unknown-setting-${at}`, 'x']);
    const { of, faults } = await bound({ settings: { ...TRAIN, ...Object.fromEntries(unknown) } });
    expect(of).toMatchObject({ explanation: { happened, remedy: [expect.stringContaining(remedy)] } });
    expect((of as SubmitError).explanation.remedy[0]).toContain('DRY_RUN');
    expect(faults).toHaveLength(rest === undefined ? count : 101);
    expect(faults.at(-1)).toEqual(rest ?? expect.stringContaining(`UNKNOWN_SETTING_${count - 1}:`));
  });

  it('is also what the CI could not publish', async () => {
    const publishProblems = async () => [{ setting: 'outputs-file', problem: 'x.json is a directory' }];
    const { faults } = await bound({ settings: TRAIN, host: { publishProblems } });
    expect(faults).toEqual(['OUTPUTS_FILE: x.json is a directory']);
  });
});

describe('the spec that a job is bound with', () => {
  it.each<[string, Given, JsonObject | undefined]>([
    ['is the document', { spec: SPEC }, SPEC],
    ['is the document as text', { spec: ' {"image": "@{commit}"}' }, { image: expect.stringMatching(/^0123/) }],
    ['is the document as text, filled once', { spec: ' {"image": "@{env:NESTED}"}' }, { image: '@{env:WHICH}' }],
    ['is the file', { spec: 'job.yaml' }, { image: expect.stringMatching(/^train:0123/), args: [] }],
    ['is the file whose path has a placeholder', { spec: '@{env:WHICH}.yaml' }, { image: 'main' }],
    ['has its placeholders filled once', { spec: { image: '@{env:NESTED}' } }, { image: '@{env:WHICH}' }],
    ['has fields set', { spec: SPEC, set: { 'a.b': '@{env:WHICH}' } }, { image: 'x', a: { b: 'main' } }],
    ['is only what is set', { set: { image: 'y' } }, { image: 'y' }],
  ])('%s', async (_what, given, spec) => {
    const env = { WHICH: 'main', NESTED: '@{env:WHICH}' };
    const { binding, checked, faults } = await bound({ settings: { job: 'train', ...given }, env });
    expect(faults).toEqual([]);
    expect(binding?.spec).toEqual(spec);
    expect(checked).toEqual([[spec, false]]);
  });

  it.each<[string, Given]>([
    ['cannot be read', { spec: 'gone.yaml' }],
    ['is of another sort', { spec: 7 }],
    ['has a placeholder that is none', { spec: 'bad.yaml' }],
  ])('is not checked further where it %s', async (_what, given) => {
    expect((await bound({ settings: { job: 'train', ...given } })).checked).toEqual([]);
  });

  it('is none where an earlier job is attached to, or where a kind has none', async () => {
    const attached = await bound({ settings: { job: 'train', attach: '7' } });
    expect(attached.checked).toEqual([[undefined, true]]);
    expect(attached.binding).toMatchObject({ spec: undefined, attach: true });
    const { checked } = await bound({ settings: { job: 'serve', set: { image: 'x' } } });
    expect(checked).toEqual([[undefined, false]]);
  });
});

describe('what a step attaches to', () => {
  const EARLIER: Partial<Host> = { earlierOutputs: async () => [] };
  it.each<[string, Partial<Host>, Partial<Run>, boolean]>([
    ['7', {}, {}, true],
    ['x', {}, {}, false],
    ['step:train', EARLIER, {}, true],
    ['step:train', {}, {}, false],
    ['step:', EARLIER, {}, false],
    ['file:outputs.json', {}, {}, true],
    [`key:${HEX}`, {}, {}, true],
    [`key:${HEX}`, {}, { find: undefined }, false],
    [`key:${HEX}0`, {}, {}, false],
    [`key:x${HEX}`, {}, {}, false],
    [`xkey:${HEX}`, {}, {}, false],
    ['xstep:train', EARLIER, {}, false],
    ['xfile:outputs.json', {}, {}, false],
    ['key:', {}, { readReference: (reference) => reference }, false],
  ])('may be %s, on such a CI and of such a job (%#)', async (attach, host, run, isAttachable) => {
    const { faults, binding } = await bound({ settings: { job: 'train', attach }, host, run });
    expect(binding?.attach).toBe(true);
    expect(faults).toEqual(
      isAttachable ? [] : [expect.stringMatching(/^ATTACH: expected a job's id or name, .*; got/)],
    );
  });

  it('is an earlier job even where it is written wrongly', async () => {
    const { checked, faults } = await bound({ settings: { job: 'train', attach: 'two words' } });
    expect(checked).toEqual([[undefined, true]]);
    expect(faults).toEqual([expect.stringMatching(/^ATTACH: expected/)]);
  });
});

describe('placeholders in settings', () => {
  it('are filled in those of the job, and in no others', async () => {
    const given = { name: '@{env:WHO}', args: ['a', '@{env:WHO}'], 'api-key': '@{env:WHO}', instance: '@{env:WHO}' };
    const { of, values } = await bound({ settings: { ...TRAIN, ...given }, env: { WHO: 'me' } });
    expect(values).toEqual({ name: 'me', args: ['a', 'me'], key: 'me' });
    expect(of).toMatchObject({ values: { instance: '@{env:WHO}' }, kind: { id: 'train' } });
  });

  it.each(['CI_TOKEN', 'API_KEY', 'TUNE_KEY', 'ENV_KEYS_COUNT', 'ENV_KEYS_0', 'ENV_KEYS_12'])(
    'do not copy the secret %s',
    async (name) => {
      const { faults } = await bound({ settings: { ...TRAIN, name: `@{env:${name}}` }, env: { [name]: 'value' } });
      expect(faults).toEqual([expect.stringContaining('could copy a credential')]);
    },
  );

  it.each(['NAME', 'ARGS_0', 'API_KEY_X', 'API_KEY_1X', 'API_1_KEY', 'MY_API_KEY'])(
    'copy %s, which is none',
    async (name) => {
      const { values } = await bound({ settings: { ...TRAIN, name: `@{env:${name}}` }, env: { [name]: 'value' } });
      expect(values).toMatchObject({ name: 'value' });
    },
  );

  it.each<[string, string]>([
    ['@{env:MISSING}', '@{env:MISSING}: the environment variable is not set in this step'],
    ['@{tag}', '@{tag} has no value in this build'],
    ['ab@{hunter2', 'has a placeholder that cannot be filled, and is not shown'],
    ['ab@{hunter2}', 'has a placeholder that cannot be filled, and is not shown'],
    ['@{hunter2 @{env:X}', 'has a placeholder that cannot be filled, and is not shown'],
    ['@{hunter2 has no value in this build}', 'has a placeholder that cannot be filled, and is not shown'],
    ['ab@{env:hunter-2}', 'has a placeholder that cannot be filled, and is not shown'],
  ])('of a secret are told of as what they are, and nothing of the secret: %s', async (value, problem) => {
    const { faults } = await bound({ settings: { ...TRAIN, 'api-key': value } });
    expect(faults).toEqual([expect.stringContaining(`API_KEY: ${problem}`)]);
    expect(faults.join()).not.toContain('hunter');
  });
});

describe('what is hidden before anything is printed', () => {
  it.each<[string, Given, Readonly<Record<string, string>>, readonly string[]]>([
    ['a secret in the settings', { 'api-key': 'hunter2' }, {}, ['hunter2']],
    ['a secret that is filled in', { 'api-key': '@{env:MINE}' }, { MINE: 'hunter2' }, ['hunter2']],
    ['a copy of a secret variable', { name: 'x-hunter22' }, { MY_TOKEN: 'hunter22' }, ['hunter22']],
    ['a copy that is filled in', { name: '@{env:MY_TOKEN}' }, { MY_TOKEN: 'hunter22' }, ['hunter22']],
    ['what looks like a key, where something is wrong', { nmae: `dapi${HEX}` }, {}, [`dapi${HEX}`]],
    ['not what looks like a key, where nothing is', { name: `dapi${HEX}` }, {}, []],
  ])('is %s', async (_what, given, env, hidden) => {
    const { concealed } = await bound({ settings: { ...TRAIN, ...given }, env });
    expect([...new Set(concealed)]).toEqual(hidden);
  });

  it('is what looks like a key where even the job is unknown', async () => {
    expect((await bound({ settings: { job: `dapi${HEX}` } })).concealed).toEqual([`dapi${HEX}`]);
  });
});

describe('how long a job is waited for', () => {
  const DAY = 86_400;
  it.each<[string, Given, Step['plan'], number, number]>([
    ['by default', {}, {}, DAY, DAY],
    ['where the service ends it later', {}, { serverTimeoutSeconds: 2 * DAY }, 2 * DAY, DAY],
    ['where the service ends it sooner', {}, { serverTimeoutSeconds: 60 }, DAY, DAY],
    ['where it never takes long', {}, { longestSeconds: 60, serverTimeoutSeconds: 2 * DAY }, 60, DAY],
    ['where it is set', { timeout: '1h' }, { longestSeconds: 60, serverTimeoutSeconds: 2 * DAY }, 3_600, 3_600],
  ])('is known %s', async (_what, given, plan, waitSeconds, timeoutSeconds) => {
    const { of, binding } = await bound({ settings: { ...TRAIN, ...given }, ...(plan === undefined ? {} : { plan }) });
    expect(of).toMatchObject({ waitSeconds });
    expect(binding).toMatchObject({ timeoutSeconds });
  });

  it('is nothing that the job is told of where it is set wrongly', async () => {
    expect((await bound({ settings: { ...TRAIN, timeout: 'soon' } })).binding).toMatchObject({ timeoutSeconds: 0 });
  });
});
