import pMap from 'p-map';
import type { FileEntry, Files } from '../../files.ts';
import { isObject, type Json, type JsonObject, listAt, objectAt, textAt, tryParseJson } from '../../json.ts';
import { plainLine } from '../../remote-text.ts';
import type { Faults } from '../../settings/settings.ts';

/** One file of a deployment: a regular one, or a symbolic link, which is sent as such. */
export interface OutputFile {
  /** Its path in the deployment. */
  readonly name: string;
  /** Where it is in the checkout. */
  readonly path: string;
  readonly mode: number;
  readonly bytes: number;
  readonly link?: string;
}

/** Where the service looks for a build that was made elsewhere. */
const OUTPUT = '.vercel/output';
const CONFIG_LIMIT_BYTES = 16 * 1024 * 1024;
const READ_AT_ONCE = 16;
/** Of many faults of one sort, so many are named. */
const NAMED = 5;

/** Such files can hold the credentials of the checkout. */
const VERSION_CONTROL = /(?:^|\/)(?:\.git|\.gitmodules|\.hg|\.svn|CVS)(?:\/|$)/;

const FILE_TYPE = 0o170000;
const REGULAR = 0o100000;
const SYMBOLIC_LINK = 0o120000;

/**
 * The files of a build in the checkout, with all that is wrong with it as faults. Only names, sizes and the small files that
 * describe the build are read. https://vercel.com/docs/build-output-api
 */
export async function readBuildOutput(
  given: string,
  target: string,
  files: Files,
  faults: Faults,
): Promise<readonly OutputFile[]> {
  const directory = normalPath(given) ?? given;
  const listed = await files.list(directory);
  if ('problem' in listed) {
    faults.add('directory', `${listed.problem}; a build made by \`vercel build\` is expected there`);
    return [];
  }
  const { entries } = listed;
  const odd = entries.filter(({ mode }) => (mode & FILE_TYPE) !== REGULAR && (mode & FILE_TYPE) !== SYMBOLIC_LINK);
  for (const { path } of odd.slice(0, NAMED))
    faults.add('directory', `${plainLine(path, 200)} is neither a file nor a symbolic link`);

  const read = (path: string) => readJson(`${directory}/${path}`, files, faults);
  const has = (path: string) => entries.some((entry) => entry.path === path);
  if (!has('config.json')) {
    const output = `an output of the Build Output API, as \`vercel build\` makes it in ${OUTPUT}`;
    faults.add('directory', `${plainLine(directory, 200)} has no config.json, so it is not ${output}`);
  } else checkConfig(await read('config.json'), directory, faults);
  if (has('builds.json')) checkBuilds(await read('builds.json'), target, faults);

  const functions = entries.filter(({ path, link }) => link === undefined && /(?:^|\/)\.vc-config\.json$/.test(path));
  const configs = await pMap(functions, ({ path }) => read(path), { concurrency: READ_AT_ONCE });
  const base = directory === OUTPUT || directory.endsWith(`/${OUTPUT}`) ? directory.slice(0, -OUTPUT.length) : '';
  const referenced = await readReferences(configs, base, files, faults);
  const beside = await readBeside(base, files);

  const all = new Map<string, OutputFile>();
  for (const file of [
    ...entries.map((entry) => outputFile(`${OUTPUT}/${entry.path}`, `${directory}/${entry.path}`, entry)),
    ...referenced,
    ...beside,
  ])
    if (!all.has(file.name)) all.set(file.name, file);
  return [...all.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
}

/** Of the rights only the owner's to execute is kept, as Git does: the rest is the machine's habit and not the build's. */
function outputFile(name: string, path: string, { mode, bytes, link }: FileEntry): OutputFile {
  if (link !== undefined) return { name, path, mode: SYMBOLIC_LINK | 0o777, bytes, link };
  return { name, path, mode: REGULAR | ((mode & 0o100) === 0 ? 0o644 : 0o755), bytes };
}

async function readJson(path: string, files: Files, faults: Faults): Promise<JsonObject | undefined> {
  const file = await files.read(path, CONFIG_LIMIT_BYTES);
  const json = 'problem' in file ? undefined : tryParseJson(file.text);
  if (isObject(json)) return json;
  faults.add('directory', 'problem' in file ? file.problem : `${plainLine(path, 200)} is not a JSON object`);
  return undefined;
}

function checkConfig(config: JsonObject | undefined, directory: string, faults: Faults): void {
  if (config === undefined || config.version === 3) return;
  const version = textAt(config, 'version') ?? 'none';
  faults.add(
    'directory',
    `${plainLine(directory, 200)}/config.json has the version ${plainLine(version, 20)}; expected 3`,
  );
}

/** What `vercel build` keeps of itself: what it was for, and what went wrong. */
function checkBuilds(builds: JsonObject | undefined, target: string, faults: Faults): void {
  const builtFor = textAt(builds, 'target');
  if (builtFor !== undefined && builtFor !== target) {
    const flag = target === 'production' ? '--prod' : `--target=${target}`;
    const rebuild = target === 'preview' ? '`vercel build`' : `\`vercel build ${flag}\``;
    faults.add(
      'target',
      `the build was made for ${plainLine(builtFor, 60)} and would be deployed to ${target}; build with ${rebuild}, or deploy to what it was made for`,
      { about: ['environment'] },
    );
  }
  const failed: readonly Json[] = [builds ?? {}, ...listAt(builds, 'builds')];
  for (const build of failed) {
    if (!isObject(build) || build.error === undefined || build.error === null) continue;
    const message = textAt(objectAt(build, 'error'), 'message') ?? textAt(build, 'error') ?? 'no reason is given';
    const source = textAt(build, 'src');
    const which = source === undefined ? 'the build' : `the build of ${plainLine(source, 100)}`;
    faults.add('directory', `${which} failed: ${plainLine(message, 300)}`);
  }
}

/** Files that functions take from elsewhere in the checkout, by `filePathMap`. */
async function readReferences(
  configs: readonly (JsonObject | undefined)[],
  base: string,
  files: Files,
  faults: Faults,
): Promise<readonly OutputFile[]> {
  const names = new Set<string>();
  const outside = new Set<string>();
  const versioned = new Set<string>();
  for (const config of configs) {
    for (const value of Object.values(objectAt(config, 'filePathMap'))) {
      const name = typeof value === 'string' ? normalPath(value) : undefined;
      if (name === undefined) outside.add(String(value));
      else if (VERSION_CONTROL.test(name)) versioned.add(name);
      else names.add(name);
    }
  }
  const tell = (told: Iterable<string>, problem: string): void => {
    for (const name of [...told].slice(0, NAMED))
      faults.add('directory', `a function's filePathMap ${problem.replace('{name}', () => plainLine(name, 200))}`);
  };
  tell(outside, 'leads outside of the checkout: {name}');
  tell(versioned, 'takes a file of version control, which is never deployed: {name}');

  const lost: string[] = [];
  const find = async (name: string): Promise<readonly OutputFile[]> => {
    // A monorepo's functions may count from its root as well as from the project.
    for (const path of new Set([`${base}${name}`, name])) {
      const entry = await files.entry(path);
      if (!('problem' in entry)) return [outputFile(name, path, entry)];
    }
    lost.push(name);
    return [];
  };
  const found = await pMap(names, find, { concurrency: READ_AT_ONCE });
  tell(lost.sort(), 'needs {name}, which is not in the checkout');
  if (lost.length > NAMED)
    faults.add('directory', `${lost.length - NAMED} more files that functions need are not in the checkout`);
  return found.flat();
}

/** What belongs to a deployment and lies beside its output. */
async function readBeside(base: string, files: Files): Promise<readonly OutputFile[]> {
  const redirects = await bulkRedirects(base, files);
  const names = ['.vercel/routes.json', 'microfrontends.json', 'microfrontends.jsonc', ...redirects];
  const find = async (name: string): Promise<readonly OutputFile[]> => {
    if (VERSION_CONTROL.test(name)) return [];
    const entry = await files.entry(`${base}${name}`);
    return 'problem' in entry ? [] : [outputFile(name, `${base}${name}`, entry)];
  };
  const found = await pMap(names, find, { concurrency: READ_AT_ONCE });
  return found.flat();
}

/** The file or the files of `bulkRedirectsPath` in vercel.json, which the service reads by itself. */
async function bulkRedirects(base: string, files: Files): Promise<readonly string[]> {
  const config = await files.read(`${base}vercel.json`, CONFIG_LIMIT_BYTES);
  if ('problem' in config) return [];
  // A vercel.json that is not JSON was the build's to refuse.
  const given = /"bulkRedirectsPath"\s*:\s*"([^"\\]+)"/.exec(config.text)?.[1];
  const path = given === undefined ? undefined : normalPath(given);
  if (path === undefined) return [];
  const below = await files.list(`${base}${path}`);
  return 'problem' in below ? [path] : below.entries.map((entry) => `${path}/${entry.path}`);
}

/** A relative path without `.` and `..`; undefined when it leads out or is absolute. */
function normalPath(path: string): string | undefined {
  if (path.startsWith('/')) return undefined;
  const steps: string[] = [];
  for (const step of path.split('/')) {
    if (step === '' || step === '.') continue;
    if (step !== '..') steps.push(step);
    else if (steps.pop() === undefined) return undefined;
  }
  return steps.length === 0 ? undefined : steps.join('/');
}
