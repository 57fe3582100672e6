import { isArray, isObject, type Json, type JsonObject, mapMembers, objectAt, textAt } from '../../json.ts';
import { plainLine, withoutTrailing } from '../../remote-text.ts';
import { Secret } from '../../secret.ts';

/** What became of the steps by which a deployment's code is fetched. */
type Pinned =
  | { readonly steps: readonly Json[]; readonly problem?: never }
  | { readonly steps?: never; readonly problem: string };

/** No address is longer, and patterns would take long on one that is. */
const LONGEST_ADDRESS = 2_000;

// `prefect.deployments.steps.git_clone`, and the names that it had before or has in between.
const GIT_CLONE = /(?:^|\.)a?git_clone(?:_project)?$/;

/**
 * The same steps, with those that clone `repositoryUrl` at `commit`. A commit takes the place of a branch: `git_clone` refuses both.
 * https://docs.prefect.io/v3/how-to-guides/deployments/store-flow-code#pull-steps
 */
export function pinPullSteps(given: Json | undefined, commit: string, repositoryUrl: string | undefined): Pinned {
  const steps = isArray(given) ? given : [];
  const clones = clonesOf(steps);
  const unfit = (problem: string, found: readonly string[]) => ({
    problem: `${problem}; it has ${found.join(', ') || 'none'}`,
  });
  if (clones.length === 0)
    return unfit('the deployment has no git_clone step among its pull steps', steps.flatMap(stepNames));
  const own = clones.filter((inputs) => isOwn(inputs, repositoryUrl, clones.length === 1));
  if (own.length === 0) {
    const repositories = clones.map((inputs) =>
      plainLine(withoutLogin(textAt(inputs, 'repository') ?? 'unknown'), 200),
    );
    return unfit(`no git_clone step clones ${repositoryUrl ?? 'the repository of this build'}`, repositories);
  }
  const pin = (step: Json): Json => {
    const inputs = cloneInputs(step);
    if (!isObject(step) || inputs === undefined || !own.includes(inputs)) return step;
    const { branch: _branch, ...rest } = inputs;
    return mapMembers(step, (value) => (value === inputs ? { ...rest, commit_sha: commit } : value));
  };
  return { steps: steps.map(pin) };
}

/** The commit, or else the branch, that the first cloned repository is fetched at. */
export function clonedCommit(given: Json | undefined): string | undefined {
  const [inputs] = clonesOf(isArray(given) ? given : []);
  return textAt(inputs, 'commit_sha') ?? branchOf(inputs);
}

/** Tokens that stand in the steps themselves, as some deployments have them: they go into no log, and are sent back as they are. */
export function pullSecrets(given: Json | undefined): readonly Secret[] {
  const texts = clonesOf(isArray(given) ? given : []).flatMap((inputs) => {
    const login = /^(?:[a-z+]+:\/\/)?(.*)@/i.exec(textAt(inputs, 'repository') ?? '')?.[1] ?? '';
    const credentials = ['access_token', 'password', 'token'].map((name) =>
      textAt(name === 'access_token' ? inputs : objectAt(inputs, 'credentials'), name),
    );
    return [login, login.slice(login.indexOf(':') + 1), ...credentials];
  });
  return texts.flatMap((text) =>
    text === undefined || text.length < 8 || text.includes('{{') ? [] : [new Secret(text)],
  );
}

function withoutLogin(address: string): string {
  return address
    .slice(0, LONGEST_ADDRESS)
    .replace(/^([a-z+]+:\/\/)?.*@/i, '$1')
    .replace(/[?#].*$/, '');
}

function branchOf(inputs: JsonObject | undefined): string | undefined {
  const branch = textAt(inputs, 'branch');
  return branch === undefined ? undefined : `branch ${branch}`;
}

function clonesOf(steps: readonly Json[]): readonly JsonObject[] {
  return steps.map(cloneInputs).filter((inputs) => inputs !== undefined);
}

/** A step is an object of one member: its function's name, and what it is given. */
function cloneInputs(step: Json): JsonObject | undefined {
  if (!isObject(step)) return undefined;
  const inputs = Object.entries(step).find(([name]) => GIT_CLONE.test(name))?.[1];
  return isObject(inputs) ? inputs : undefined;
}

function stepNames(step: Json): readonly string[] {
  return isObject(step) ? Object.keys(step).map((name) => plainLine(name, 100)) : [];
}

/** Whether a step clones this build's repository. What a template hides is taken for it, if nothing else could be. */
function isOwn(inputs: JsonObject, repositoryUrl: string | undefined, isOnly: boolean): boolean {
  const repository = textAt(inputs, 'repository') ?? '';
  if (repositoryUrl === undefined || repository.includes('{{')) return isOnly;
  return plainRepository(repository) === plainRepository(repositoryUrl);
}

/** `host/path` of a repository, whichever way it is cloned. */
function plainRepository(address: string): string {
  const plain = address
    .slice(0, LONGEST_ADDRESS)
    .trim()
    .replace(/^[a-z+]+:\/\//i, '')
    .replace(/^[^@/]*@/, '')
    .replace(/^([^/:]+):(?:\d+\/)?/, '$1/');
  return withoutTrailing(plain, '/')
    .replace(/\.git$/i, '')
    .toLowerCase();
}
