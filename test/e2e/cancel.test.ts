import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, globSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createWorld, type World } from '../simulators/world.ts';
import { NODE } from './folders.ts';
import { CANCELLABLE_KINDS, DEPLOY, FLOW_RUN, type KindInUse, RUN_NOW, SUBMIT_RUN, VERTEX } from './kinds.ts';
import { missingInOrder, readable } from './log-text.ts';
import { asVariables, type PipeStep, pipeStep } from './pipe.ts';
import { type PluginStep, pluginStep } from './plugin.ts';
import { type Env, type Running, until } from './process.ts';
import { stepIn } from './step.ts';

/** The signals, the exit codes that shells give them, and the kinds that each is tried with. */
const SIGNALS: readonly [NodeJS.Signals, number, readonly KindInUse[], readonly KindInUse[]][] = [
  ['SIGTERM', 143, CANCELLABLE_KINDS, [VERTEX, SUBMIT_RUN, FLOW_RUN, DEPLOY]],
  ['SIGINT', 130, [RUN_NOW], [VERTEX]],
  ['SIGHUP', 129, [SUBMIT_RUN], []],
  ['SIGQUIT', 131, [SUBMIT_RUN], []],
  ['SIGUSR1', 138, [SUBMIT_RUN], [SUBMIT_RUN]],
  ['SIGUSR2', 140, [SUBMIT_RUN], [SUBMIT_RUN]],
];
/** CIs kill what has not ended some seconds after the signal. */
const LONGEST_END_MS = 3_000;
/** A job that runs is seen as such within a few looks at it. */
const RUNNING = /running {3}\S/;

/** A Node that notes each of its starts. */
const COUNTED_NODE = { node: `echo start >> "$HOME/node-starts"\nexec '${NODE}' "$@"` };

function nodeStarts({ folder }: PluginStep): number {
  return readFileSync(join(folder, 'home/node-starts'), 'utf8').split('\n').length - 1;
}

/** Variables that other hooks may change in between, for the command hook and for the pre-exit hook. */
const CHANGING: readonly [string, Env, Env][] = [
  ['no TMPDIR at all', { TMPDIR: undefined }, {}],
  ['an empty TMPDIR', { TMPDIR: '' }, {}],
  ['a TMPDIR that is not there', { TMPDIR: '/nowhere' }, {}],
  ['a TMPDIR that changed', {}, { TMPDIR: '/var/tmp' }],
  ['a TMPDIR that became empty', {}, { TMPDIR: '' }],
  ['a HOME that changed', {}, { HOME: '/nowhere' }],
];

const EMPTY_LIST = { status: 200, type: 'application/json', text: '{}' };

const IS_ROOT = process.geteuid?.() === 0;
const NOBODY = 65_534;

/** A folder such as the plugin makes, which remembers a run that is not the step's. */
function folderOf(run: string, path: string, { mode = 0o700, kind = SUBMIT_RUN.id } = {}): void {
  mkdirSync(path, { mode });
  chmodSync(path, mode);
  writeFileSync(join(path, 'job.json'), JSON.stringify({ kind, id: run }), { mode: 0o600 });
}

/** Puts something where the plugin looks: at `path`, about a foreign `run`, with the step's `folder` for more. */
type Plant = readonly [string, (path: string, run: string, folder: string) => void];

/** These are this user's own, so only Node can tell what is wrong with them. */
const LOOKED_INTO = new Set(['a folder that others can write to', 'a folder with a FIFO in it']);

const PLANTED: readonly Plant[] = [
  ['a file', (path, run) => writeFileSync(path, run, { mode: 0o600 })],
  ['a FIFO', (path) => execFileSync('mkfifo', [path])],
  ['a link to nowhere', (path) => symlinkSync('/nowhere', path)],
  [
    "a link to a folder of this user's",
    (path, run, folder) => {
      folderOf(run, join(folder, 'elsewhere'));
      symlinkSync(join(folder, 'elsewhere'), path);
    },
  ],
  ['a folder that others can write to', (path, run) => folderOf(run, path, { mode: 0o777 })],
  [
    'a folder with a FIFO in it',
    (path) => {
      mkdirSync(path, { mode: 0o700 });
      execFileSync('mkfifo', ['-m', '600', join(path, 'job.json')]);
    },
  ],
];

/** Only root can make what belongs to somebody else. */
const PLANTED_BY_OTHERS: readonly Plant[] = [
  [
    "another user's folder",
    (path, run) => {
      folderOf(run, path);
      chownSync(path, NOBODY, NOBODY);
    },
  ],
];

/** The name that the plugin gives to the folder of a step's only entry. */
function plantedPath({ rememberedAt }: PluginStep, config: unknown): string {
  const configuration = createHash('sha256').update(JSON.stringify(config)).digest('hex').slice(0, 16);
  return `${rememberedAt}${configuration}.planted`;
}

interface OnPlugin {
  readonly config?: Readonly<Record<string, string>>;
  readonly commands?: Readonly<Record<string, string>>;
  readonly env?: Env;
}

function onBuildkite(
  kind: KindInUse,
  world: World,
  { config, commands, env = {} }: OnPlugin = {},
): Promise<PluginStep> {
  return pluginStep({
    simulators: world.url,
    config: { ...kind.settings('buildkite'), ...config },
    checkout: kind.checkout,
    env,
    ...(commands === undefined ? {} : { commands }),
  });
}

async function onBitbucket(kind: KindInUse, world: World): Promise<PipeStep> {
  const variables = asVariables(kind.settings('bitbucket'));
  return pipeStep({ ...(await stepIn(world)), variables, checkout: kind.checkout });
}

/** Signals a step that waits, and returns how it ended and after how many milliseconds. */
async function signalWhileWaiting(running: Running, signal: NodeJS.Signals) {
  await running.printed(RUNNING);
  const at = performance.now();
  running.signal(signal);
  const ended = await running.ended;
  return { ...ended, tookMs: performance.now() - at };
}

// One after the other: how long a step takes to end is part of what is asserted.
describe.each(SIGNALS)('%s to the process group of a step that waits', (signal, exitCode, onThePlugin, onThePipe) => {
  it.each(onThePlugin)('cancels the remote job once on Buildkite: $id', async (kind) => {
    await using world = await createWorld();
    kind.hang(world);
    using step = await onBuildkite(kind, world);
    const ended = await signalWhileWaiting(step.command(), signal);

    expect(ended.exitCode, ended.output).toBe(exitCode);
    expect(ended.tookMs).toBeLessThan(LONGEST_END_MS);
    expect(ended.output).not.toContain('Debugger');
    expect(kind.cancellations(world)).toBe(1);
    expect(readable(ended.output)).toMatch(/the cancellation of \S+ was accepted/);

    expect(await step.preExit()).toMatchObject({ exitCode: 0, output: '' });
    expect(kind.cancellations(world)).toBe(1);
    expect(kind.submitted(world)).toBe(1);
  });

  it.each(onThePipe)('cancels the remote job once on Bitbucket: $id', async (kind) => {
    await using world = await createWorld();
    kind.hang(world);
    using step = await onBitbucket(kind, world);
    const ended = await signalWhileWaiting(step.run(), signal);

    expect(ended.exitCode, ended.output).toBe(exitCode);
    expect(ended.tookMs).toBeLessThan(LONGEST_END_MS);
    expect(kind.cancellations(world)).toBe(1);
    expect(world.reports.reports()).toMatchObject([{ current: { result: 'FAILED' } }]);
  });
});

describe.concurrent('a step that is cancelled', () => {
  it.each([VERTEX, SUBMIT_RUN])('leaves the job with on-cancel: detach: $id', async (kind) => {
    await using world = await createWorld();
    kind.hang(world);
    using step = await onBuildkite(kind, world, { config: { 'on-cancel': 'detach' } });
    const ended = await signalWhileWaiting(step.command(), 'SIGTERM');
    expect(ended.exitCode, ended.output).toBe(143);
    const words = ['keeps running (on-cancel: detach)', 'To wait for it in a later step: attach: '];
    expect(missingInOrder(ended.output, words), ended.output).toEqual([]);
    expect(await step.preExit()).toMatchObject({ exitCode: 0 });
    expect(kind.cancellations(world)).toBe(0);
  });

  it.each([VERTEX, SUBMIT_RUN])('while its submission is under way cancels what comes of it: $id', async (kind) => {
    await using world = await createWorld();
    kind.hang(world);
    world.fault({ ...kind.targets.submission, kind: 'late', times: 1, lateMs: 1_000 });
    using step = await onBuildkite(kind, world);
    const running = step.command();
    await until(() => kind.submitted(world) === 1);
    running.signal('SIGTERM');
    const ended = await running.ended;
    expect(ended.exitCode, ended.output).toBe(143);
    expect(kind.cancellations(world)).toBe(1);
    await step.preExit();
    expect(kind.cancellations(world)).toBe(1);
  });

  it('before it submitted anything submits nothing', async () => {
    await using world = await createWorld();
    world.fault({ kind: 'late', path: /sts\.googleapis\.com/, times: 1, lateMs: 5_000 });
    using step = await onBuildkite(VERTEX, world);
    const running = step.command();
    await until(() => world.google.exchanges().length === 1);
    running.signal('SIGTERM');
    const ended = await running.ended;
    expect(ended.exitCode, ended.output).toBe(143);
    expect(ended.output).toContain('cancelled before anything was submitted');
    expect(VERTEX.submitted(world)).toBe(0);
  });
});

describe.concurrent('the pre-exit hook', () => {
  it.each(CANCELLABLE_KINDS)('cancels what a killed command hook left running: $id', async (kind) => {
    await using world = await createWorld();
    kind.hang(world);
    using step = await onBuildkite(kind, world);
    const ended = await signalWhileWaiting(step.command(), 'SIGKILL');
    expect(ended).toMatchObject({ exitCode: null, signal: 'SIGKILL' });
    expect(kind.cancellations(world)).toBe(0);

    const second = await step.preExit();
    expect(second.exitCode, second.output).toBe(0);
    expect(readable(second.output)).toMatch(/The cancellation of \S+ was accepted/);
    expect(kind.cancellations(world)).toBe(1);

    expect(await step.preExit()).toMatchObject({ exitCode: 0, output: '' });
    expect(kind.cancellations(world)).toBe(1);
  });

  it('ends the token that it cancels with', async () => {
    await using world = await createWorld();
    DEPLOY.hang(world);
    using step = await onBuildkite(DEPLOY, world);
    await signalWhileWaiting(step.command(), 'SIGKILL');
    const left = world.vercel.liveTokens();
    const second = await step.preExit();
    expect(second.exitCode, second.output).toBe(0);
    expect(world.vercel.issuedTokens().length).toBeGreaterThan(left.length);
    expect(world.vercel.liveTokens()).toEqual(left);
  });

  it('leaves a job that the step would have left too', async () => {
    await using world = await createWorld();
    RUN_NOW.hang(world);
    using step = await onBuildkite(RUN_NOW, world, { config: { 'on-cancel': 'detach' } });
    await signalWhileWaiting(step.command(), 'SIGKILL');
    const second = await step.preExit();
    expect(second.exitCode, second.output).toBe(0);
    expect(RUN_NOW.cancellations(world)).toBe(0);
  });

  it('ends with 0 and says what is left to do when the service cannot be reached', async () => {
    await using world = await createWorld();
    SUBMIT_RUN.hang(world);
    using step = await onBuildkite(SUBMIT_RUN, world);
    await signalWhileWaiting(step.command(), 'SIGKILL');
    world.fault({ kind: 'drop-before', path: /databricks/, times: 1_000 });
    const second = await step.preExit();
    expect(second.exitCode, second.output).toBe(0);
    expect(readable(second.output)).toMatch(/may still be running/);
  });

  it.each(CANCELLABLE_KINDS)('looks for what was sent and not answered: $id', async (kind) => {
    await using world = await createWorld();
    kind.hang(world);
    // Vercel refuses the first one, for the files that it lacks.
    world.fault({ ...kind.targets.submission, kind: 'late', times: 2, lateMs: 3_000 });
    using step = await onBuildkite(kind, world);
    const running = step.command();
    await until(() => kind.submitted(world) === 1);
    running.signal('SIGKILL');
    await running.ended;

    const second = await step.preExit();
    expect(second.exitCode, second.output).toBe(0);
    const output = readable(second.output);
    if (!kind.findsByKey) {
      expect(output).toMatch(
        /a job with the submission key [0-9a-f]{64} may be running; this service cannot be searched/,
      );
      expect(output).toContain('a retry of this step finds it and attaches to it');
      expect(output).toContain('cancel-run ID');
    } else expect(output).toMatch(/The cancellation of \S+ was accepted/);
    expect(kind.cancellations(world)).toBe(kind.findsByKey ? 1 : 0);
    expect(kind.submitted(world)).toBe(1);
    expect(await step.preExit()).toMatchObject({ exitCode: 0, output: '' });
  });

  it('says what is known of a submission that does not show up', async () => {
    await using world = await createWorld();
    world.fault({ ...VERTEX.targets.submission, kind: 'late', times: 1, lateMs: 20_000 });
    world.fault({ kind: 'answer', method: 'GET', path: /\/customJobs$/, times: 100, answer: EMPTY_LIST });
    using step = await onBuildkite(VERTEX, world);
    const running = step.command();
    await until(() => VERTEX.submitted(world) === 1);
    running.signal('SIGKILL');
    await running.ended;
    const second = await step.preExit();
    expect(second.exitCode, second.output).toBe(0);
    expect(readable(second.output)).toMatch(/with the submission key [0-9a-f]{64} may be running; it does not show up/);
    const looks = world.requests.filter(({ method, path }) => method === 'GET' && /\/customJobs\?/.test(path));
    expect(looks.length).toBeGreaterThan(1);
  });

  it.each([{}, { wait: 'false' }])('is left nothing by a submission that is over: %o', async (config) => {
    await using world = await createWorld();
    const refusal = { status: 400, type: 'application/json', text: '{"error_code":"INVALID_PARAMETER_VALUE"}' };
    if (config.wait === undefined)
      world.fault({ ...SUBMIT_RUN.targets.submission, kind: 'answer', times: 1, answer: refusal });
    using step = await onBuildkite(SUBMIT_RUN, world, { config, commands: COUNTED_NODE });
    const ended = await step.command().ended;
    expect(ended.exitCode, ended.output).toBe(config.wait === undefined ? 4 : 0);
    const starts = nodeStarts(step);
    expect(await step.preExit()).toMatchObject({ exitCode: 0, output: '' });
    expect(nodeStarts(step)).toBe(starts);
  });

  it.each(CHANGING)('finds what was remembered with %s', async (_, env, changes) => {
    await using world = await createWorld();
    SUBMIT_RUN.hang(world);
    using step = await onBuildkite(SUBMIT_RUN, world, { env });
    await signalWhileWaiting(step.command(), 'SIGKILL');
    const second = await step.preExit(changes);
    expect(second.exitCode, second.output).toBe(0);
    expect(SUBMIT_RUN.cancellations(world)).toBe(1);
  });

  it.each([...PLANTED, ...(IS_ROOT ? PLANTED_BY_OTHERS : [])])(
    'is not misled by %s, and finds its own',
    async (name, plant) => {
      await using world = await createWorld();
      SUBMIT_RUN.hang(world);
      using other = await onBuildkite(SUBMIT_RUN, world);
      await signalWhileWaiting(other.command(), 'SIGKILL');
      const [foreign] = world.databricks.runs();
      for (const path of globSync(`${other.rememberedAt}*`)) rmSync(path, { recursive: true });

      using step = await onBuildkite(SUBMIT_RUN, world, { commands: COUNTED_NODE });
      writeFileSync(join(step.folder, 'home/node-starts'), '');
      plant(plantedPath(step, SUBMIT_RUN.settings('buildkite')), foreign?.runId ?? '', step.folder);
      expect(await step.preExit()).toMatchObject({ exitCode: 0, output: '' });
      expect(nodeStarts(step) > 0).toBe(LOOKED_INTO.has(name));
      expect(SUBMIT_RUN.cancellations(world)).toBe(0);

      SUBMIT_RUN.hang(world);
      await signalWhileWaiting(step.command(), 'SIGKILL');
      const second = await step.preExit();
      expect(second.exitCode, second.output).toBe(0);
      expect(SUBMIT_RUN.cancellations(world)).toBe(1);
    },
  );

  it.each([
    [SUBMIT_RUN, '12/../34'],
    [SUBMIT_RUN, 'projects/acme-ml/locations/us-central1/customJobs/1'],
    [SUBMIT_RUN, '99999999999999999999'],
    // It can be attached to, but is not the full name that the plugin keeps.
    [VERTEX, '4040404'],
  ])('asks and prints nothing of an id that is none of the kind: $id, %s', async (kind, id) => {
    await using world = await createWorld();
    using step = await onBuildkite(kind, world);
    folderOf(id, plantedPath(step, kind.settings('buildkite')), { kind: kind.id });
    const { exitCode, output } = await step.preExit();
    expect(exitCode, output).toBe(0);
    expect(output).toContain('The job may still be running');
    expect(output).not.toContain(id);
    expect(world.requests.filter(({ path }) => path.includes(id))).toEqual([]);
    expect(kind.cancellations(world)).toBe(0);
  });

  it('ends with 0, without a stack, when it cannot even begin', async () => {
    await using world = await createWorld();
    SUBMIT_RUN.hang(world);
    const node = `'${NODE}' "$@"\ncode=$?\necho "$code" >> "$HOME/node-ends"\nexit "$code"`;
    using step = await onBuildkite(SUBMIT_RUN, world, { commands: { node } });
    await signalWhileWaiting(step.command(), 'SIGKILL');
    const second = await step.preExit({ KEYLESS_SUBMIT_SIMULATORS: 'http://simulators.example' });
    expect(second.exitCode, second.output).toBe(0);
    expect(readFileSync(join(step.folder, 'home/node-ends'), 'utf8')).toMatch(/(?:^|\n)0\n$/);
    expect(second.output).toContain('may still be running');
    expect(second.output).not.toMatch(/^\s+at /m);
  });

  it('ends in time when the service says nothing, and names the job', async () => {
    await using world = await createWorld();
    SUBMIT_RUN.hang(world);
    using step = await onBuildkite(SUBMIT_RUN, world);
    await signalWhileWaiting(step.command(), 'SIGKILL');
    world.fault({ kind: 'late', path: /\/jobs\/runs\/cancel$/, times: 9, lateMs: 20_000 });
    const at = performance.now();
    const second = await step.preExit();
    expect(performance.now() - at).toBeLessThan(7_000);
    expect(second.exitCode, second.output).toBe(0);
    expect(readable(second.output)).toMatch(
      /may still be running \(.* within 4 s\); cancel it by hand: \S+ jobs cancel-run \d+/,
    );
  });

  it('does nothing after a step that ended by itself, and starts no Node', async () => {
    await using world = await createWorld();
    using step = await onBuildkite(SUBMIT_RUN, world, { commands: COUNTED_NODE });
    expect((await step.command().ended).exitCode).toBe(0);
    const starts = nodeStarts(step);
    expect(starts).toBeGreaterThan(0);
    expect(await step.preExit()).toMatchObject({ exitCode: 0, output: '' });
    expect(nodeStarts(step)).toBe(starts);
    expect(SUBMIT_RUN.cancellations(world)).toBe(0);
  });
});
