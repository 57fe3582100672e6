import { createHash } from 'node:crypto';
import { isJsonObject, parseJsonObject } from './json-object.ts';
import {
  fields,
  flag,
  listOf,
  mapOf,
  oneOf,
  orNull,
  pattern,
  type Shape,
  text,
  wholeNumber,
} from './vercel-body-shape.ts';

export interface GitMetadata {
  readonly commitRef?: string;
  readonly commitSha?: string;
  readonly [field: string]: string | boolean | undefined;
}

export interface DeploymentFile {
  readonly file: string;
  readonly sha: string;
  readonly size: number;
  readonly mode?: number;
  /** Its bytes came with the request, and need no upload. */
  readonly inlined: boolean;
}

/** A request for a deployment that has passed as well-formed. */
export interface DeploymentBody {
  readonly name: string;
  readonly project?: string;
  readonly target?: 'production' | 'staging';
  readonly customEnvironmentSlugOrId?: string;
  readonly autoAssignCustomDomains?: boolean;
  readonly meta?: Readonly<Record<string, string>>;
  readonly gitMetadata?: GitMetadata;
  readonly source?: string;
  readonly deploymentId?: string;
  readonly files: readonly DeploymentFile[];
}

// What stat tells of a file or a symbolic link.
const mode: Shape = (value, at) =>
  wholeNumber(value, at) ??
  ([0o100000, 0o120000].includes(Number(value) - (Number(value) % 0o10000))
    ? undefined
    : `\`${at}\` should be a file mode`);
const path = pattern(/^(?!\/)(?!.*(?:^|\/)\.{1,2}(?:\/|$))(?!.*\/\/)[^\\]+(?<!\/)$/);
const referenced = fields({ file: path, sha: pattern(/^[0-9a-f]{40}$/), size: wholeNumber }, { mode });
const inlined = fields({ file: path, data: text }, { encoding: oneOf('utf-8', 'base64'), mode });
const file: Shape = (value, at) => (isJsonObject(value) && 'data' in value ? inlined : referenced)(value, at);

const env = mapOf(text);
const nullableText = orNull(text);

// https://vercel.com/docs/rest-api/deployments/create-a-new-deployment, and what the CLI sends besides.
const body = fields(
  { name: text },
  {
    project: text,
    files: listOf(file),
    deploymentId: text,
    target: oneOf('production', 'staging'),
    customEnvironmentSlugOrId: text,
    autoAssignCustomDomains: flag,
    meta: mapOf(text),
    env,
    build: fields({}, { env }),
    version: oneOf(2),
    source: text,
    monorepoManager: nullableText,
    withLatestCommit: flag,
    gitMetadata: fields(
      {},
      {
        remoteUrl: text,
        commitAuthorName: text,
        commitAuthorEmail: text,
        commitMessage: text,
        commitRef: text,
        commitSha: text,
        dirty: flag,
        ci: flag,
        ciType: text,
        ciGitProviderUsername: text,
        ciGitRepoVisibility: text,
        rootDirectory: text,
      },
    ),
    projectSettings: fields(
      {},
      {
        buildCommand: nullableText,
        commandForIgnoringBuildStep: nullableText,
        devCommand: nullableText,
        framework: nullableText,
        installCommand: nullableText,
        nodeVersion: oneOf('24.x', '22.x', '20.x'),
        outputDirectory: nullableText,
        rootDirectory: nullableText,
        serverlessFunctionRegion: nullableText,
        skipGitConnectDuringLink: flag,
        sourceFilesOutsideRootDirectory: flag,
      },
    ),
  },
);

/** Reads a request for a deployment, or says what is wrong with it. */
export function readDeploymentBody(json: string): DeploymentBody | string {
  const value = parseJsonObject(json);
  if (value === undefined) return 'Invalid JSON';
  const problem = body(value, '');
  if (problem !== undefined) return `Invalid request: ${problem}.`;
  const { files: entries = [], ...rest } = value as unknown as Omit<DeploymentBody, 'files'> & {
    readonly files?: readonly FileEntry[];
  };
  if (rest.target !== undefined && rest.customEnvironmentSlugOrId !== undefined) {
    return 'Invalid request: `target` and `customEnvironmentSlugOrId` exclude each other.';
  }
  if (entries.length === 0 && rest.deploymentId === undefined) {
    return 'Invalid request: missing required property `files`.';
  }
  const files = entries.map(readFile);
  const paths = new Set<string>();
  for (const each of files) {
    if (paths.has(each.file)) return `Invalid request: \`files\` names ${each.file} twice.`;
    paths.add(each.file);
  }
  return { ...rest, files };
}

type FileEntry =
  | Omit<DeploymentFile, 'inlined'>
  | { readonly file: string; readonly data: string; readonly encoding?: 'utf-8' | 'base64'; readonly mode?: number };

function readFile(entry: FileEntry): DeploymentFile {
  if ('sha' in entry) return { ...entry, inlined: false };
  const bytes = Buffer.from(entry.data, entry.encoding === 'base64' ? 'base64' : 'utf8');
  return {
    file: entry.file,
    sha: createHash('sha1').update(bytes).digest('hex'),
    size: bytes.length,
    ...(entry.mode === undefined ? {} : { mode: entry.mode }),
    inlined: true,
  };
}
