import { expect } from 'vitest';
import { COMMIT } from '../simulators/tenant.ts';
import type { DeploymentFacts, VercelRequest } from '../simulators/vercel.ts';

export interface Difference {
  readonly cli?: unknown;
  readonly ours?: unknown;
  readonly why: string;
}

const AUTHOR = 'keyless-submit never names an author: Vercel refuses deployments of authors without a seat in the team';
const FROM_GIT = 'the tool asks git; keyless-submit asks the CI';
const DEFAULT = 'nothing was asked for, which is what leaving it out says too';

/** Every field of the request in which they differ, with the reason. All others must be the same. */
export function expectedDifferences(by: 'pipe' | 'plugin', head: string): Readonly<Record<string, Difference>> {
  const remoteUrl = by === 'pipe' ? 'https://bitbucket.org/acme/vision' : 'https://bitbucket.org/acme/vision.git';
  return {
    env: { cli: {}, why: DEFAULT },
    build: { cli: { env: {} }, why: DEFAULT },
    source: { cli: 'cli', why: 'it names the tool itself' },
    meta: {
      cli: {},
      ours: expect.objectContaining({ ci_commit: COMMIT, ci_branch: 'main', keyless_submit_attempt: '1' }),
      why: 'the tool sets none unless it is told to; keyless-submit says where the deployment comes from, and finds it again by its key',
    },
    'gitMetadata.remoteUrl': { cli: 'git@bitbucket.org:acme/vision.git', ours: remoteUrl, why: FROM_GIT },
    'gitMetadata.commitSha': { cli: head, ours: COMMIT, why: FROM_GIT },
    'gitMetadata.commitRef': { cli: 'HEAD', ours: 'main', why: `${FROM_GIT}, whose checkout is detached` },
    'gitMetadata.commitMessage': { cli: 'A commit', why: 'the CI does not tell it' },
    'gitMetadata.commitAuthorName': { cli: 'Ada', why: AUTHOR },
    'gitMetadata.commitAuthorEmail': { cli: 'ada@acme.example', why: AUTHOR },
    'gitMetadata.dirty': {
      cli: expect.any(Boolean),
      why: 'a checkout is dirty because of the build, which tells nobody anything',
    },
    'gitMetadata.rootDirectory': { cli: '', why: 'projectSettings.rootDirectory says it' },
    '?forceNew': { ours: '1', why: 'Vercel would else take an earlier deployment of the same files for this one' },
  };
}

/** The fields of the request that made a deployment, but for its files, and its query. */
export function requestOf(deployment: DeploymentFacts): Readonly<Record<string, unknown>> {
  const { files: _files, ...body } = JSON.parse(deployment.json) as Record<string, unknown>;
  const nested = ['gitMetadata', 'projectSettings'].flatMap((name) =>
    Object.entries(body[name] ?? {}).map(([field, value]) => [`${name}.${field}`, value] as const),
  );
  const { gitMetadata: _git, projectSettings: _settings, ...rest } = body;
  const query = [...deployment.query].map(([name, value]) => [`?${name}`, value] as const);
  return { ...rest, ...Object.fromEntries([...nested, ...query]) };
}

export function differences(cli: Readonly<Record<string, unknown>>, ours: Readonly<Record<string, unknown>>) {
  const names = [...new Set([...Object.keys(cli), ...Object.keys(ours)])];
  return Object.fromEntries(
    names
      .filter((name) => JSON.stringify(cli[name]) !== JSON.stringify(ours[name]))
      .map((name) => [name, { cli: cli[name], ours: ours[name] }]),
  );
}

export function withoutReasons(expected: Readonly<Record<string, Difference>>) {
  return Object.fromEntries(Object.entries(expected).map(([name, { cli, ours }]) => [name, { cli, ours }]));
}

export function fileHeaders({ headers }: VercelRequest): string {
  return [...headers]
    .filter(([name]) => /^(?:content-|x-(?:now|vercel)-)/.test(name))
    .map(([name, value]) => (name === 'content-type' ? `${name}=${value}` : name))
    .sort()
    .join(' ');
}
