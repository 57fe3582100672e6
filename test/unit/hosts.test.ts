import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, test } from 'vitest';
import type { Agent, AgentAnswer } from '../../buildkite-plugin/agent.ts';
import { buildkiteContext, httpsUrl } from '../../buildkite-plugin/buildkite-context.ts';
import { buildkiteHost } from '../../buildkite-plugin/buildkite-host.ts';
import type { Env } from '../../buildkite-plugin/buildkite-settings.ts';
import { buildkiteTokens } from '../../buildkite-plugin/buildkite-tokens.ts';
import { bitbucketContext, bitbucketHost } from '../../pipe/bitbucket-host.ts';
import { proxyAddress, putReport } from '../../pipe/bitbucket-reports.ts';
import { checkoutFiles } from '../../shared/edge/checkout-files.ts';
import { SubmitError } from '../../shared/errors.ts';
import type { Report } from '../../shared/host/report.ts';
import type { Json } from '../../shared/json.ts';
import { Secret } from '../../shared/secret.ts';
import { serve } from '../simulators/serve.ts';

const { signal } = new AbortController();
const folder = await mkdtemp(join(tmpdir(), 'keyless-hosts-'));
afterAll(() => rm(folder, { recursive: true }));
const files = checkoutFiles(folder);

describe('the facts of a Bitbucket step', () => {
  it('are those of its variables', () => {
    expect(
      bitbucketContext({
        BITBUCKET_REPO_FULL_NAME: 'acme/vision',
        BITBUCKET_REPO_UUID: '{r}',
        BITBUCKET_GIT_HTTP_ORIGIN: 'http://x-token:secret@bitbucket.org/acme/vision',
        BITBUCKET_COMMIT: 'c0ffee',
        BITBUCKET_PIPELINE_UUID: '{p}',
        BITBUCKET_BUILD_NUMBER: '42',
        BITBUCKET_STEP_UUID: '{s}',
        BITBUCKET_STEP_RUN_NUMBER: '3',
        BITBUCKET_BRANCH: 'main',
        BITBUCKET_TAG: '',
        BITBUCKET_PR_ID: '7',
        BITBUCKET_PARALLEL_STEP: '0',
        BITBUCKET_DEPLOYMENT_ENVIRONMENT: 'production',
      }),
    ).toEqual({
      platform: 'bitbucket',
      repository: 'acme/vision',
      repositoryUrl: 'https://bitbucket.org/acme/vision',
      pipeline: '{r}',
      commit: 'c0ffee',
      build: '{p}',
      buildNumber: '42',
      buildUrl: 'https://bitbucket.org/acme/vision/pipelines/results/42',
      step: '{s}',
      attempt: 3,
      retry: 'automatic',
      branch: 'main',
      pullRequest: '7',
      parallelIndex: '0',
      deploymentEnvironment: 'production',
    });
  });

  it('are put together where some are missing', () => {
    expect(
      bitbucketContext({ BITBUCKET_WORKSPACE: 'acme', BITBUCKET_REPO_SLUG: 'vision', BITBUCKET_TAG: 'v1' }),
    ).toEqual({
      platform: 'bitbucket',
      repository: 'acme/vision',
      repositoryUrl: 'https://bitbucket.org/acme/vision',
      pipeline: 'acme/vision',
      commit: 'unknown',
      build: '0',
      buildNumber: '0',
      buildUrl: 'https://bitbucket.org/acme/vision/pipelines/results/0',
      step: '',
      attempt: 1,
      retry: 'none',
      tag: 'v1',
    });
    expect(bitbucketContext({}).repository).toBe('unknown/unknown');
  });

  it.each(['0', '-1', 'x', '1.5', '9007199254740993'])('count the run %s as the first', (run) => {
    expect(bitbucketContext({ BITBUCKET_STEP_RUN_NUMBER: run }).attempt).toBe(1);
  });
});

function bitbucket(env: Env, settings: Readonly<Record<string, Json>> = {}) {
  const chunks: string[] = [];
  const write = (text: string) => void chunks.push(text);
  const host = bitbucketHost({ env, settings: new Map(Object.entries(settings)), files, write });
  return { host, printed: () => chunks.join('') };
}

describe('the token of a Bitbucket step', () => {
  it('is the one that it has', async () => {
    const { subjectTokens } = bitbucket({ BITBUCKET_STEP_OIDC_TOKEN: ' a.b.c\n' }).host;
    expect((await subjectTokens.getSubjectToken({ audience: 'x', signal })).reveal()).toBe('a.b.c');
    expect(subjectTokens.renewable).toBe(false);
    expect(subjectTokens.isDefaultAudience('ari:cloud:bitbucket::workspace/1')).toBe(true);
    expect(subjectTokens.isDefaultAudience('x-ari:cloud:bitbucket::workspace/1')).toBe(false);
    expect(subjectTokens.changingSubject()).toMatch(/names the step/);
  });

  it.each([{}, { BITBUCKET_STEP_OIDC_TOKEN: '' }, { BITBUCKET_STEP_OIDC_TOKEN: ' \n' }])(
    'is missing: %j',
    async (env) => {
      const given = bitbucket(env).host.subjectTokens.getSubjectToken({ audience: 'https://a.example', signal });
      const error = await given.catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: 'token-missing' });
      expect((error as SubmitError).explanation.remedy.join('\n')).toContain('      - https://a.example');
    },
  );

  it.each([
    [150, false],
    [151, true],
  ])('cannot be asked for with an audience of %i characters: %s', (length, tooLong) => {
    const lines = bitbucket({}).host.subjectTokens.howToRequest('a'.repeat(length));
    expect(lines.some((line) => line.includes(`has ${length} characters`))).toBe(tooLong);
  });
});

describe('the outputs of a Bitbucket step', () => {
  const OUTPUTS = { id: 'jobs/7', url: 'https://a.example', error: "it's\r\nbroken\0" };

  it('are files, and variables where these are wanted, at the end', async () => {
    const path = join(folder, 'variables.env');
    await writeFile(path, '');
    const settings = { 'output-variables': ['KEYLESS_ID', 'KEYLESS_ERROR', 'KEYLESS_ERRO'] };
    const { host } = bitbucket({ BITBUCKET_PIPELINES_VARIABLES_PATH: path }, settings);
    expect(await host.publishProblems()).toEqual([]);
    const interim = await host.publish(OUTPUTS, 'interim', KEY);
    expect(interim).toEqual(['.keyless-submit/outputs.json', expect.stringContaining('.keyless-submit/outputs.env')]);
    expect(await readFile(path, 'utf8')).toBe('');
    const places = await host.publish(OUTPUTS, 'final', KEY);
    expect(await readFile(path, 'utf8')).toBe("KEYLESS_ID=jobs/7\nKEYLESS_ERROR=it's broken \n");
    expect(places.slice(2)).toEqual([
      'variables KEYLESS_ID, KEYLESS_ERROR',
      expect.stringMatching(/KEYLESS_ERRO: .*did you mean KEYLESS_ERROR\?/),
    ]);
    expect(JSON.parse(await readFile(join(folder, '.keyless-submit/outputs.json'), 'utf8'))).toEqual(OUTPUTS);
  });

  it('are where the setting says, and no variables where none are wanted', async () => {
    const { host } = bitbucket({}, { 'outputs-file': 'build/out.json' });
    expect(await host.publishProblems()).toEqual([]);
    expect(await host.publish(OUTPUTS, 'final', KEY)).toEqual([
      'build/out.json',
      expect.stringContaining('build/out.env'),
    ]);
  });

  it('that are wanted and not there, at all, are told of', async () => {
    const path = join(folder, 'none.env');
    const { host } = bitbucket(
      { BITBUCKET_PIPELINES_VARIABLES_PATH: path },
      { 'output-variables': ['KEYLESS_QQQQQQ'] },
    );
    const places = await host.publish(OUTPUTS, 'final', KEY);
    expect(places.slice(2)).toEqual([expect.stringMatching(/KEYLESS_QQQQQQ: this run has no such output$/)]);
  });

  it('cannot be shared where Bitbucket gave no file', async () => {
    for (const env of [{}, { BITBUCKET_PIPELINES_VARIABLES_PATH: '' }]) {
      const { host } = bitbucket(env, { 'output-variables': ['KEYLESS_ID'] });
      const problem = expect.stringContaining('BITBUCKET_PIPELINES_VARIABLES_PATH');
      expect(await host.publishProblems()).toEqual([{ setting: 'output-variables', problem }]);
      await expect(host.publish(OUTPUTS, 'final', KEY)).rejects.toThrow('BITBUCKET_PIPELINES_VARIABLES_PATH');
    }
  });

  it('cannot be found again by a later run, and nothing is remembered', async () => {
    const { host } = bitbucket({});
    await host.remember({ kind: 'k', id: 'i' });
    await host.forget();
    await host.conceal([new Secret('x')]);
    expect(await host.previousOutputs('b'.repeat(64))).toBeUndefined();
    expect(host.graceOnCancel).toBe(false);
  });
});

describe("Bitbucket's proxy for reports", () => {
  const STEP = { BITBUCKET_WORKSPACE: 'acme', BITBUCKET_REPO_SLUG: 'vision', BITBUCKET_COMMIT: 'c0ffee' };

  async function put(answer: Response, env: Env = STEP) {
    const seen: unknown[] = [];
    const { url, close } = await serve(async (request) => {
      const { method, headers } = request;
      seen.push({ method, url: request.url, type: headers.get('content-type'), body: await request.text() });
      return answer;
    });
    try {
      await putReport({ ...env, KEYLESS_SUBMIT_SIMULATORS: url }, 'id/7', { title: 'é' });
      return { seen, error: undefined };
    } catch (error) {
      return { seen, error: (error as Error).message };
    } finally {
      await close();
    }
  }

  it.each([200, 201, 299])('is asked in absolute form, and takes a report with %i', async (status) => {
    expect(await put(new Response('{}', { status }))).toEqual({
      error: undefined,
      seen: [
        {
          method: 'PUT',
          url: 'http://api.bitbucket.org/2.0/repositories/acme/vision/commit/c0ffee/reports/id%2F7',
          type: 'application/json',
          body: '{"title":"é"}',
        },
      ],
    });
  });

  it.each([300, 400, 503])('says why it takes none with %i', async (status) => {
    const { error } = await put(new Response(`no\u001b[31m ${'x'.repeat(3_000)}`, { status }));
    expect(error).toMatch(new RegExp(`answered ${status}: no x+`));
    expect(error?.length).toBeLessThan(250);
  });

  it.each(Object.keys(STEP))('is not asked where %s is missing', async (name) => {
    const { seen, error } = await put(new Response('{}'), { ...STEP, [name]: undefined });
    expect(seen).toEqual([]);
    expect(error).toContain('BITBUCKET_COMMIT');
  });

  it('is told of where it cannot be reached', async () => {
    const { url, close } = await serve(async () => new Response('{}'));
    await close();
    await expect(putReport({ ...STEP, KEYLESS_SUBMIT_SIMULATORS: url }, 'id', {})).rejects.toThrow(/proxy for reports/);
  });

  it.each([
    [{ KEYLESS_SUBMIT_SIMULATORS: 'http://127.0.0.1:8700' }, { host: '127.0.0.1', port: 8_700 }],
    [{ DOCKER_HOST: 'tcp://172.17.0.1:2375' }, { host: '172.17.0.1', port: 29_418 }],
    [{ DOCKER_HOST: 'unix:///var/run/docker.sock' }, { host: 'host.docker.internal', port: 29_418 }],
    [{ DOCKER_HOST: 'nonsense' }, { host: 'host.docker.internal', port: 29_418 }],
    [{}, { host: 'host.docker.internal', port: 29_418 }],
  ])('is, with %j, at %j', (env, address) => expect(proxyAddress(env)).toEqual(address));
});

describe('the facts of a Buildkite job', () => {
  it('are those of its variables', () => {
    expect(
      buildkiteContext({
        BUILDKITE_ORGANIZATION_SLUG: 'acme',
        BUILDKITE_PIPELINE_SLUG: 'vision',
        BUILDKITE_PIPELINE_ID: 'p',
        BUILDKITE_COMMIT: 'c0ffee',
        BUILDKITE_BUILD_ID: 'b',
        BUILDKITE_BUILD_NUMBER: '42',
        BUILDKITE_BUILD_URL: 'https://buildkite.com/acme/vision/builds/42',
        BUILDKITE_STEP_ID: 's',
        BUILDKITE_RETRY_COUNT: '2',
        BUILDKITE_RETRY_TYPE: 'automatic',
        BUILDKITE_REPO: 'git@github.com:acme/vision.git',
        BUILDKITE_BRANCH: 'main',
        BUILDKITE_PULL_REQUEST: '7',
        BUILDKITE_PARALLEL_JOB: '0',
      }),
    ).toEqual({
      platform: 'buildkite',
      repository: 'acme/vision',
      pipeline: 'p',
      commit: 'c0ffee',
      build: 'b',
      buildNumber: '42',
      buildUrl: 'https://buildkite.com/acme/vision/builds/42',
      step: 's',
      attempt: 3,
      retry: 'automatic',
      repositoryUrl: 'https://github.com/acme/vision.git',
      branch: 'main',
      pullRequest: '7',
      parallelIndex: '0',
    });
  });

  it('are put together where some are missing', () => {
    expect(
      buildkiteContext({ BUILDKITE_PULL_REQUEST: 'false', BUILDKITE_STEP_KEY: 'k', BUILDKITE_BUILD_NUMBER: '4' }),
    ).toEqual({
      platform: 'buildkite',
      repository: 'unknown/unknown',
      pipeline: 'undefined/undefined',
      commit: 'unknown',
      build: '4',
      buildNumber: '4',
      buildUrl: 'https://buildkite.com',
      step: 'k',
      attempt: 1,
      retry: 'none',
    });
  });

  it('name no branch in the build of a tag', () => {
    const context = buildkiteContext({ BUILDKITE_TAG: 'v1', BUILDKITE_BRANCH: 'v1' });
    expect(context).toMatchObject({ tag: 'v1' });
    expect(context).not.toHaveProperty('branch');
  });

  it.each([
    ['1', undefined, { attempt: 2, retry: 'manual' }],
    ['1', 'manual', { attempt: 2, retry: 'manual' }],
    ['0', 'automatic', { attempt: 1, retry: 'none' }],
    ['-3', 'automatic', { attempt: 1, retry: 'none' }],
    ['x', 'automatic', { attempt: 1, retry: 'none' }],
  ])('count %s retries that were %s', (count, type, expected) => {
    const env = { BUILDKITE_RETRY_COUNT: count, ...(type === undefined ? {} : { BUILDKITE_RETRY_TYPE: type }) };
    expect(buildkiteContext(env)).toMatchObject(expected);
  });
});

test.each([
  ['git@github.com:acme/vision.git', 'https://github.com/acme/vision.git'],
  ['github.com:acme/vision.git', 'https://github.com/acme/vision.git'],
  ['ssh://git@github.com/acme/vision.git', 'https://github.com/acme/vision.git'],
  ['git://github.com/acme/vision.git', 'https://github.com/acme/vision.git'],
  ['http://user:secret@github.com/acme/vision.git', 'https://github.com/acme/vision.git'],
  ['https://github.com/acme/vision.git', 'https://github.com/acme/vision.git'],
  ['file:///srv/vision.git', undefined],
  ['/srv/vision.git', undefined],
  ['', undefined],
  [undefined, undefined],
])('the address %s is %s', (given, url) => expect(httpsUrl(given)).toBe(url));

interface AgentCall {
  readonly args: readonly string[];
  readonly input?: string;
  readonly env?: Env;
}

/** An agent that keeps what it is given, and answers by the command's name. */
function recordingAgent(answers: Readonly<Record<string, Partial<AgentAnswer>>> = {}) {
  const calls: AgentCall[] = [];
  const agent: Agent = async (args, { input, env }) => {
    calls.push({ args, ...(input === undefined ? {} : { input }), ...(env === undefined ? {} : { env }) });
    return { exitCode: 0, stdout: '', stderr: '', ...answers[args.slice(0, 2).join(' ')] };
  };
  return { agent, calls };
}

function buildkite(
  answers: Readonly<Record<string, Partial<AgentAnswer>>> = {},
  env: Env = {},
  settings: Readonly<Record<string, Json>> = {},
) {
  const { agent, calls } = recordingAgent(answers);
  const chunks: string[] = [];
  const write = (text: string) => void chunks.push(text);
  const host = buildkiteHost({ env, settings: new Map(Object.entries(settings)), files, agent, write });
  return { host, calls, printed: () => chunks.join('') };
}

const JOB = { BUILDKITE_STEP_KEY: 'train', BUILDKITE_STEP_ID: 's', BUILDKITE_AGENT_JOB_API_SOCKET: '/tmp/job.sock' };
const KEY = 'a'.repeat(64);
const SHORT = 'a'.repeat(12);
const NOTHING_PUBLISHED = { 'meta-data get': { exitCode: 100 } };
const REPORT: Report = { title: 't', state: 'passed', summary: 's', facts: [] };

describe('a Buildkite job', () => {
  it('hands secrets to the redactor on its standard input only', async () => {
    const { host, calls } = buildkite({}, JOB);
    await host.conceal([new Secret('one'), new Secret('two')]);
    expect(calls).toEqual([{ args: ['redactor', 'add', '--format', 'json'], input: '{"0":"one","1":"two"}' }]);
  });

  it('asks no redactor where there is none, and debugs one that fails', async () => {
    const without = buildkite();
    await without.host.conceal([new Secret('one')]);
    expect(without.calls).toEqual([]);
    const failing = buildkite({ 'redactor add': { exitCode: 3 } }, JOB, { debug: true });
    await failing.host.conceal([new Secret('one')]);
    expect(failing.printed()).toContain('redactor add ended with 3');
    const fine = buildkite({}, JOB, { debug: 'true' });
    await fine.host.conceal([new Secret('one')]);
    expect(fine.printed()).toBe('');
  });

  it('shows its report as an annotation', async () => {
    const { host, calls } = buildkite({}, JOB);
    await host.report(REPORT, KEY);
    const [call] = calls;
    expect(call?.args[0]).toBe('annotate');
    expect(call?.args.slice(1)).toEqual(['--context', `keyless-submit-${SHORT}`, '--style', 'success']);
    expect(call?.input).toContain('<strong>t</strong>');
  });

  it('says why a report was not taken', async () => {
    const { host } = buildkite({ 'annotate --context': { exitCode: 5, stderr: 'too long' } }, JOB);
    await expect(host.report(REPORT, KEY)).rejects.toThrow('buildkite-agent annotate --context ended with 5: too long');
  });

  it('removes a report by its annotation', async () => {
    const { host, calls } = buildkite({}, JOB);
    await host.removeReport(KEY);
    expect(calls[0]?.args).toEqual(['annotation', 'remove', '--context', `keyless-submit-${SHORT}`]);
  });

  const isSet = ({ args }: AgentCall): boolean => args[1] === 'set';

  it('publishes a whole at once, and single values when they are final', async () => {
    const { host, calls } = buildkite(NOTHING_PUBLISHED, JOB);
    const outputs = { id: 'jobs/7', empty: ' ', long: 'x'.repeat(1_001), full: 'x'.repeat(1_000) };
    await host.publish(outputs, 'interim', KEY);
    const input = JSON.stringify(sortedByLength(outputs));
    expect(calls.filter(isSet)).toEqual([
      { args: ['meta-data', 'set', `keyless-submit:train:${SHORT}`], input },
      { args: ['meta-data', 'set', 'keyless-submit:train'], input },
    ]);
    await host.publish(outputs, 'final', KEY);
    const final = calls.filter(isSet).slice(4);
    expect(final.map(({ args, input: value }) => [args[2], value?.length])).toEqual([
      ['keyless-submit:train:id', 6],
      ['keyless-submit:train:full', 1_000],
    ]);
  });

  it.each([
    ['another submission of a first run', '0', '{"id":"jobs/6"}', 'several'],
    ['several already', '1', '{"result":"several"}', 'several'],
    ['an earlier run of the same job', '1', '{"id":"jobs/6"}', 'jobs/7'],
    ['this submission', '0', '{"id":"jobs/7"}', 'jobs/7'],
    ['something that is not JSON', '0', '{', 'jobs/7'],
  ])("says what the step's outputs are after %s", async (_what, retries, stdout, expected) => {
    const { host, calls } = buildkite({ 'meta-data get': { stdout } }, { ...JOB, BUILDKITE_RETRY_COUNT: retries });
    const places = await host.publish({ kind: 'k', id: 'jobs/7' }, 'final', KEY);
    const values = new Map(calls.filter(isSet).map(({ args, input = '' }) => [args[2], input]));
    expect(values.get('keyless-submit:train:id')).toBe(expected);
    expect(JSON.parse(values.get('keyless-submit:train') ?? '')).toEqual(
      expected === 'several' ? { kind: 'k', result: 'several' } : { kind: 'k', id: 'jobs/7' },
    );
    expect(JSON.parse(values.get(`keyless-submit:train:${SHORT}`) ?? '')).toEqual({ kind: 'k', id: 'jobs/7' });
    expect(places.join()).toContain(expected === 'several' ? `get keyless-submit:train:${SHORT}` : 'train:NAME');
  });

  it('leaves out what is longest where the whole is too long', async () => {
    const { host, calls } = buildkite(NOTHING_PUBLISHED, JOB);
    const published = () => Object.keys(JSON.parse(calls.filter(isSet).at(-1)?.input ?? ''));
    await host.publish({ huge: 'h'.repeat(89_000), id: 'jobs/7', large: 'l'.repeat(2_000) }, 'interim', KEY);
    expect(published()).toEqual(['id', 'large']);
    await host.publish({ huge: 'h'.repeat(89_000), id: 'jobs/7' }, 'interim', KEY);
    expect(published()).toEqual(['id', 'huge']);
  });

  it('writes files where it is told to', async () => {
    const { host } = buildkite({}, JOB, { 'outputs-file': 'bk/out.json' });
    expect(await host.publishProblems()).toEqual([]);
    const places = await host.publish({ id: 'jobs/7' }, 'final', KEY);
    expect(places.slice(0, 2)).toEqual(['bk/out.json', 'bk/out.env']);
    expect(await readFile(join(folder, 'bk/out.env'), 'utf8')).toBe("export KEYLESS_ID='jobs/7'\n");
    expect(await buildkite().host.publishProblems()).toEqual([]);
  });

  it('says why outputs were not taken', async () => {
    const { host } = buildkite({ 'meta-data set': { exitCode: 1, stderr: 'no' } }, JOB);
    await expect(host.publish({ id: '7' }, 'interim', KEY)).rejects.toThrow(
      'buildkite-agent meta-data set ended with 1: no',
    );
  });

  it.each([
    ['{"id":"jobs/7","attempt":2,"odd":null}', 0, { id: 'jobs/7', attempt: '2', odd: '' }],
    ['[]', 0, undefined],
    ['{', 0, undefined],
    ['{"id":"jobs/7"}', 100, undefined],
  ])('finds outputs again: %s, exit code %i', async (stdout, exitCode, expected) => {
    const { host, calls } = buildkite({ 'meta-data get': { stdout, exitCode } }, JOB);
    expect(await host.earlierOutputs?.('load', signal)).toEqual(expected === undefined ? [] : [expected]);
    expect(await host.previousOutputs(KEY)).toEqual(expected);
    expect(calls.map(({ args }) => args.slice(1))).toEqual([
      ['keys'],
      ['get', 'keyless-submit:load'],
      ['get', `keyless-submit:train:${SHORT}`],
    ]);
  });

  it('finds the outputs of each submission of a step, and of no other step', async () => {
    const own = ['load:0123456789ab', 'load:7:ba9876543210'].map((name) => `keyless-submit:${name}`);
    const others = ['load', 'load:id', 'loads:0123456789ab', 'load:0123456789abc', 'other:0123456789ab'];
    const stdout = [...own, ...others.map((name) => `keyless-submit:${name}`), 'release-notes', ''].join('\n');
    const answers = { 'meta-data keys': { stdout }, 'meta-data get': { stdout: '{"id":"jobs/7"}' } };
    const { host, calls } = buildkite(answers, JOB);
    expect(await host.earlierOutputs?.('load', signal)).toEqual([{ id: 'jobs/7' }, { id: 'jobs/7' }]);
    expect(calls.slice(1).map(({ args }) => args[2])).toEqual(own);
  });
});

function sortedByLength(outputs: Readonly<Record<string, string>>) {
  return Object.fromEntries(Object.entries(outputs).toSorted(([, left], [, right]) => left.length - right.length));
}

type TokenSettings = ReturnType<Parameters<typeof buildkiteTokens>[2]>;

async function token(
  given: Partial<TokenSettings>,
  lifetimeSeconds: number | undefined,
  agent: Agent,
  env: Env = JOB,
): Promise<string | SubmitError> {
  const values = { 'oidc-claims': [], 'oidc-subject-claim': undefined, 'oidc-lifetime': undefined, ...given };
  const request = { audience: 'aud', signal, ...(lifetimeSeconds === undefined ? {} : { lifetimeSeconds }) };
  return buildkiteTokens(agent, env, () => values as TokenSettings)
    .getSubjectToken(request)
    .then((made) => made.reveal())
    .catch((error: unknown) => {
      if (error instanceof SubmitError) return error;
      throw error;
    });
}

describe('the token of a Buildkite job', () => {
  const MADE = { 'oidc request-token': { stdout: ' a.b.c\n' } };
  const BASE = ['oidc', 'request-token', '--audience', 'aud'];

  it.each<readonly [Partial<TokenSettings>, number | undefined, readonly string[]]>([
    [{}, undefined, []],
    [{}, 3_600, ['--lifetime', '3600']],
    [{ 'oidc-lifetime': 60 }, 3_600, ['--lifetime', '60']],
    [
      { 'oidc-claims': ['a', 'b'], 'oidc-subject-claim': 'pipeline_id' },
      undefined,
      ['--claim', 'a', '--claim', 'b', '--subject-claim', 'pipeline_id'],
    ],
  ])('is asked for with %j and a lifetime of %s', async (given, lifetime, args) => {
    const { agent, calls } = recordingAgent(MADE);
    expect(await token(given, lifetime, agent)).toBe('a.b.c');
    expect(calls).toEqual([{ args: [...BASE, ...args], env: {} }]);
  });

  it('is not registered with a redactor where there is none', async () => {
    const { agent, calls } = recordingAgent(MADE);
    await token({}, undefined, agent, {});
    expect(calls[0]?.env).toEqual({ BUILDKITE_AGENT_OIDC_REQUEST_TOKEN_SKIP_TOKEN_REDACTION: 'true' });
  });

  it.each([
    ['the lifetime is too long', {}, 3_600, 2],
    ['lifetime refused, and it was set', { 'oidc-lifetime': 9_999 }, 3_600, 1],
    ['lifetime refused, and none was asked for', {}, undefined, 1],
    ['something else', {}, 3_600, 1],
  ])('is asked for again without a lifetime only where that helps: %s', async (stderr, given, lifetime, asked) => {
    const calls: (readonly string[])[] = [];
    const agent: Agent = async (args) => {
      calls.push(args);
      return args.includes('--lifetime') || asked === 1
        ? { exitCode: 1, stdout: '', stderr }
        : { exitCode: 0, stdout: 'a.b.c', stderr: '' };
    };
    const made = await token(given, lifetime, agent);
    expect(calls).toHaveLength(asked);
    if (asked === 2) expect(made).toBe('a.b.c');
    else expect(made).toMatchObject({ code: 'token-missing' });
  });

  it.each([
    [{ exitCode: 127 }, /Put buildkite-agent on the PATH/],
    [{ exitCode: 1, stderr: 'flag provided but not defined: -claim' }, /too old/],
    [{ exitCode: 1, stderr: 'unknown flag' }, /too old/],
    [{ exitCode: 1, stderr: 'lifetime: too long' }, /Lower oidc-lifetime/],
    [{ exitCode: 1, stderr: '401 Unauthorized' }, /BUILDKITE_AGENT_ACCESS_TOKEN/],
    [{ exitCode: 1, stderr: '403 Forbidden' }, /BUILDKITE_AGENT_ACCESS_TOKEN/],
    [{ exitCode: 1, stderr: 'else' }, /needs agent 3\.41/],
    [{ exitCode: 0, stdout: ' \n' }, /needs agent 3\.41/],
  ])('that is not made is explained: %j', async (answer, remedy) => {
    const error = await token(
      { 'oidc-claims': ['a'] },
      undefined,
      recordingAgent({ 'oidc request-token': answer }).agent,
    );
    expect(error).toMatchObject({ code: 'token-missing', message: expect.stringContaining(`${answer.exitCode}`) });
    const { explanation } = error as SubmitError;
    expect(explanation.presented).toEqual(['audience aud', 'claims a']);
    expect(explanation.remedy.join('\n')).toMatch(remedy);
  });

  it.each([
    [undefined, /names the commit/],
    ['build_id', /build_id is another one in each run/],
    ['job_id', /job_id is another one/],
    ['agent_id', /agent_id is another one/],
  ])('with the subject %s changes from run to run', (claim, words) => {
    const { host } = buildkite({}, JOB, claim === undefined ? {} : { 'oidc-subject-claim': claim });
    expect(host.subjectTokens.changingSubject()).toMatch(words);
  });

  it('with the subject pipeline_id stays the same', () => {
    const { subjectTokens } = buildkite({}, JOB, { 'oidc-subject-claim': 'pipeline_id' }).host;
    expect(subjectTokens.changingSubject()).toBeUndefined();
    expect(subjectTokens.renewable).toBe(true);
    expect(subjectTokens.isDefaultAudience('aud')).toBe(false);
    expect(subjectTokens.howToRequest('aud')).toContain('  audience: aud');
    expect(subjectTokens.howToRequest('aud', 'secret-audience')).toContain('  secret-audience: aud');
  });
});
