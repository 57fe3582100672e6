import { describe, expect, it } from 'vitest';
import { COMMIT } from '../simulators/tenant.ts';
import { VERCEL } from '../simulators/vercel-tenant.ts';
import { CONFIG, FILES, PAGE, sha1, vercelWorld } from './vercel-world.ts';

const BODY = { name: VERCEL.project, project: VERCEL.projectId, files: FILES };
const PREBUILT = '/v13/deployments?prebuilt=1&skipAutoDetectionConfirmation=1';

it('names the files that it lacks, and deploys when it has them', async () => {
  const { ask, upload, appToken, deployments } = await vercelWorld();
  const token = await appToken();
  const create = () => ask('POST', PREBUILT, { token, body: BODY });
  const missing = (...shas: string[]) => ({ status: 400, json: { error: { code: 'missing_files', missing: shas } } });
  expect(await create()).toMatchObject(missing(sha1(CONFIG), sha1(PAGE)));
  await upload(CONFIG, token);
  expect(await create()).toMatchObject(missing(sha1(PAGE)));
  await upload(PAGE, token);
  expect(await create()).toMatchObject({
    status: 200,
    json: {
      id: expect.stringMatching(/^dpl_\w+$/),
      url: expect.stringMatching(/^edge-\w+-acme\.vercel\.app$/),
      inspectorUrl: expect.stringContaining('https://vercel.com/acme/edge/'),
      readyState: 'QUEUED',
      aliasAssigned: false,
      target: null,
    },
  });
  expect(deployments()).toMatchObject([{ projectId: VERCEL.projectId, target: undefined, state: 'QUEUED' }]);
});

it('misses a file whose size is another, and one that was lost', async () => {
  const { ask, upload, loseUploads } = await vercelWorld();
  const token = VERCEL.tokens.full;
  const missing = { status: 400, json: { error: { code: 'missing_files' } } };
  loseUploads(1);
  await upload(CONFIG);
  await upload(PAGE);
  expect(await ask('POST', PREBUILT, { token, body: BODY })).toMatchObject(missing);
  await upload(CONFIG);
  const files = FILES.map((file) => ({ ...file, size: file.size + 1 }));
  expect(await ask('POST', PREBUILT, { token, body: { ...BODY, files } })).toMatchObject(missing);
});

it('takes all that the CLI sends', async () => {
  const { deploy } = await vercelWorld();
  const { status, json } = await deploy({
    env: {},
    build: { env: {} },
    meta: { key: 'value' },
    target: 'production',
    autoAssignCustomDomains: false,
    projectSettings: { sourceFilesOutsideRootDirectory: true, rootDirectory: null },
    source: 'cli',
    gitMetadata: {
      remoteUrl: 'git@bitbucket.org:acme/vision.git',
      commitAuthorName: 'Ada',
      commitAuthorEmail: 'ada@acme.example',
      commitMessage: 'Edge',
      commitRef: 'main',
      commitSha: COMMIT,
      dirty: false,
      rootDirectory: '.',
      ci: true,
      ciType: 'bitbucket-pipelines',
    },
  });
  expect(status).toBe(200);
  expect(json).toMatchObject({
    target: 'production',
    meta: { key: 'value', gitCommitSha: COMMIT, gitCommitRef: 'main' },
  });
});

describe('what it refuses', () => {
  const refused: [string, Record<string, unknown>, string][] = [
    ['no name', { name: undefined }, 'missing required property `name`'],
    ['an unknown field', { colour: 'red' }, 'should NOT have additional property `colour`'],
    [
      'an unknown field within',
      { gitMetadata: { sha: COMMIT } },
      '`gitMetadata` should NOT have additional property `sha`',
    ],
    ['a number in meta', { meta: { build: 42 } }, '`meta.build` should be string'],
    ['target preview', { target: 'preview' }, '`target` should be equal to one of'],
    ['a target and an environment', { target: 'production', customEnvironmentSlugOrId: 'qa' }, 'exclude each other'],
    ['version 1', { version: 1 }, '`version` should be equal to one of'],
    ['no files', { files: [] }, 'missing required property `files`'],
    [
      'a path from the root',
      { files: [{ ...FILES[0], file: '/config.json' }] },
      '`files[0].file` should match pattern',
    ],
    ['a path upwards', { files: [{ ...FILES[0], file: 'a/../config.json' }] }, '`files[0].file` should match pattern'],
    ['a sha in capitals', { files: [{ ...FILES[0], sha: 'A'.repeat(40) }] }, '`files[0].sha` should match pattern'],
    ['a mode in octal text', { files: [{ ...FILES[0], mode: '100644' }] }, '`files[0].mode` should be integer'],
    ['a mode without a kind', { files: [{ ...FILES[0], mode: 644 }] }, '`files[0].mode` should be a file mode'],
    ['a mode in octal', { files: [{ ...FILES[0], mode: 100644 }] }, '`files[0].mode` should be a file mode'],
    ['a file twice', { files: [FILES[0], FILES[0]] }, 'twice'],
    ['both data and sha', { files: [{ ...FILES[0], data: '' }] }, 'additional property'],
    ['no output', { files: [FILES[1]] }, '.vercel/output/config.json'],
  ];
  it.each(refused)('%s', async (_, changes, message) => {
    const { deploy, deployments } = await vercelWorld();
    expect(await deploy(changes)).toMatchObject({
      status: 400,
      json: { error: { code: 'bad_request', message: expect.stringContaining(message) } },
    });
    expect(deployments()).toEqual([]);
  });

  it('an unknown query, project and environment, and projects of others', async () => {
    const { deploy, ask, appToken } = await vercelWorld();
    expect((await deploy({}, 'colour=red')).status).toBe(400);
    expect((await deploy({}, 'prebuilt=true')).status).toBe(400);
    expect((await deploy({ project: 'prj_nobody' })).status).toBe(404);
    expect((await deploy({ customEnvironmentSlugOrId: 'nowhere' })).status).toBe(404);
    const body = { ...BODY, project: VERCEL.otherProjectId };
    expect((await ask('POST', PREBUILT, { token: await appToken(), body })).status).toBe(403);
    expect((await ask('POST', PREBUILT, { token: VERCEL.tokens.full, body: 'no json' })).status).toBe(400);
    const form = { token: VERCEL.tokens.full, body: new URLSearchParams({ name: VERCEL.project }) };
    expect((await ask('POST', PREBUILT, form)).status).toBe(400);
  });

  it('more than a plan allows', async () => {
    const { deploy, limitNext, now } = await vercelWorld();
    limitNext({ code: 'rate_limited', resetInMs: 5000 });
    limitNext({ code: 'builds_rate_limited', headers: true });
    const first = await deploy();
    expect(first).toMatchObject({
      status: 429,
      json: { error: { code: 'rate_limited', limit: { total: 100, remaining: 0, resetMs: now() + 5000 } } },
    });
    expect(first.headers.has('retry-after')).toBe(false);
    const second = await deploy();
    expect(second).toMatchObject({ status: 429, json: { error: { code: 'builds_rate_limited' } } });
    expect(second.headers.get('retry-after')).toBe('60');
    expect((await deploy()).status).toBe(200);
  });
});

it('takes small files inline', async () => {
  const { deploy } = await vercelWorld();
  const [, page] = FILES;
  const data = Buffer.from('{"version":3,"routes":[]}').toString('base64');
  const link = { file: '.vercel/output/functions/b.func', data: 'a.func', mode: 0o120777 };
  const inlined = { file: '.vercel/output/config.json', data, encoding: 'base64', mode: 33188 };
  expect((await deploy({ files: [inlined, page, link] })).status).toBe(200);
});

it('answers the same request with the same deployment, unless told to make a new one', async () => {
  const { deploy, nextLife, pass, deployments } = await vercelWorld();
  nextLife({ end: { kind: 'ready' } }, { end: { kind: 'error', step: 'build', code: 'BUILD_FAILED', message: 'no' } });
  const plain = 'prebuilt=1';
  const first = (await deploy({}, plain)).json.id;
  expect((await deploy({}, plain)).json.id).toBe(first);
  const other = (await deploy({ meta: { attempt: '2' } }, plain)).json.id;
  expect(other).not.toBe(first);
  pass(1000);
  // What failed is not offered again.
  expect((await deploy({ meta: { attempt: '2' } }, plain)).json.id).not.toBe(other);
  expect((await deploy({}, `${plain}&forceNew=1`)).json.id).not.toBe(first);
  expect(deployments()).toHaveLength(4);
});

it('makes a deployment of an earlier one', async () => {
  const { ask, deploy } = await vercelWorld();
  const { id } = (await deploy()).json;
  const rebuilt = await ask('POST', '/v13/deployments', {
    token: VERCEL.tokens.full,
    body: { deploymentId: id, name: VERCEL.project, target: 'production', meta: { action: 'promote' } },
  });
  expect(rebuilt).toMatchObject({ status: 200, json: { target: 'production', meta: { action: 'promote' } } });
  expect(rebuilt.json.id).not.toBe(id);
});
