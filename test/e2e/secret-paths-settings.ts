import { PREFECT } from '../simulators/prefect-tenant.ts';
import { VERCEL } from '../simulators/vercel-tenant.ts';
import { DEPLOY, DEPLOYMENT_UPDATE, FLOW_RUN, googleSecret, type KindInUse, PROMOTE } from './kinds.ts';
import type { SecretPath } from './secret-paths.ts';
import type { Ci, StepSettings } from './step.ts';

const KEY = PREFECT.keys.service;
const TOKEN = VERCEL.tokens.project;
const AUTH = PREFECT.authString;
const NO_BROKER = { 'secret-from': undefined, 'workload-identity-provider': undefined };

/** Settings that are wrong, with secrets in them. */
function wrong(
  name: string,
  kind: KindInUse,
  settings: StepSettings | ((ci: Ci) => StepSettings),
  secrets: readonly string[],
  says = 'invalid-settings',
): SecretPath {
  const given = typeof settings === 'function' ? settings : () => settings;
  return { name, kind, settings: given, secrets, says, exit: 2, finally: ({ requests }) => refuseRequests(requests) };
}

function refuseRequests(requests: readonly unknown[]): void {
  if (requests.length > 0) throw new Error('something was sent');
}

function shown(name: string, kind: KindInUse, settings: StepSettings, secrets: readonly string[]): SecretPath {
  return { ...wrong(name, kind, { ...settings, 'dry-run': true }, secrets, 'nothing was sent'), exit: 0 };
}

const stored: StepSettings = { ...NO_BROKER, 'api-key': KEY };
const onServer: StepSettings = { ...NO_BROKER, 'api-url': PREFECT.serverApi };

export const SETTINGS_PATHS: readonly SecretPath[] = [
  shown('a stored API key that is only shown', FLOW_RUN, stored, [KEY]),
  shown(
    'a stored password and headers that are only shown',
    DEPLOYMENT_UPDATE,
    { ...onServer, 'auth-string': AUTH, headers: { 'X-Access': 'simulated-header-secret' }, version: '1' },
    [AUTH, AUTH.slice(3), Buffer.from(AUTH).toString('base64'), 'simulated-header-secret'],
  ),
  shown('a stored token that is only shown', DEPLOY, { token: TOKEN }, [TOKEN]),
  wrong('faults beside a stored key', FLOW_RUN, { ...stored, timeout: 'soon', deployment: 'x', wait: KEY.length }, [
    KEY,
  ]),
  wrong('faults beside a stored token', DEPLOY, { token: TOKEN, directory: 'nowhere', target: 'moon' }, [TOKEN]),
  wrong('a key of another form', FLOW_RUN, { ...stored, 'api-key': 'hunter2 hunter2' }, ['hunter2'], 'an API key that'),
  wrong('a key that is a list', FLOW_RUN, { ...stored, 'api-key': [KEY, KEY] }, [KEY], 'is not shown'),
  wrong('a password without a user', FLOW_RUN, { ...onServer, 'auth-string': 'hunter2' }, ['hunter2'], 'is not shown'),
  wrong('headers that are a list', FLOW_RUN, { ...onServer, headers: ['X-Pin: hunter2'] }, ['hunter2'], 'is not shown'),
  wrong(
    'headers of several lines',
    FLOW_RUN,
    { ...onServer, headers: { 'X-Pin': 'hunter2\nX-Other: hunter3' } },
    ['hunter2', 'hunter3'],
    'is not shown',
  ),
  wrong('a token with other signs', DEPLOY, { token: `"${TOKEN}"` }, [TOKEN], 'is not shown'),
  wrong('a token with a line feed', PROMOTE, { token: `${TOKEN}\n` }, [TOKEN], 'is not shown'),
  wrong('a key where its reference belongs', FLOW_RUN, { 'secret-from': { 'api-key': KEY } }, [KEY]),
  wrong('a key after the name of a broker', FLOW_RUN, { 'secret-from': { 'api-key': `google:${KEY}` } }, [KEY]),
  wrong('a key in the place of all references', FLOW_RUN, { 'secret-from': KEY }, [KEY], 'is not shown'),
  wrong('a key and its name the wrong way round', FLOW_RUN, { 'secret-from': { [KEY]: 'api-key' } }, [KEY]),
  wrong('a password as the name of a header', FLOW_RUN, { ...onServer, headers: { 'hunter2 x': 'X-Pin' } }, [
    'hunter2',
  ]),
  wrong('a key that is both stored and at a broker', FLOW_RUN, { 'api-key': KEY }, [KEY], 'is set by itself and in'),
  wrong(
    'a token that is both stored and at a broker',
    DEPLOY,
    (ci) => ({ ...loginAtGoogle(ci), token: TOKEN, 'secret-from': { token: googleSecret('vercel-ci') } }),
    [TOKEN],
    'is set by itself and in',
  ),
  wrong('a setting that is misspelt', FLOW_RUN, { ...NO_BROKER, 'api-kye': KEY }, [KEY], 'did you mean'),
  wrong('a secret of another kind', DEPLOY, { 'api-key': KEY, 'auth-string': AUTH }, [KEY, AUTH]),
  wrong(
    'a password in the address of the API',
    FLOW_RUN,
    { ...NO_BROKER, 'api-url': `https://${AUTH}@${PREFECT.serverHost}/api` },
    [AUTH],
    'holds a user name or password',
  ),
  wrong(
    'a password in the address of the pages',
    FLOW_RUN,
    { ...stored, 'ui-url': 'https://ci:hunter2@pages.acme.example' },
    [KEY, 'hunter2'],
  ),
  wrong(
    'a password in the address of Vault',
    FLOW_RUN,
    { 'vault-address': 'https://ci:hunter2@vault.acme.example', 'vault-role': 'ci' },
    ['hunter2'],
  ),
  wrong(
    'a password that looks like a placeholder',
    FLOW_RUN,
    { ...onServer, 'auth-string': 'ci:four@{seven}eleven@{thirteen' },
    ['four', 'seven', 'eleven', 'thirteen'],
  ),
  {
    ...wrong('a configuration that is cut off', FLOW_RUN, {}, [KEY], 'is not a JSON object'),
    ci: 'buildkite',
    env: { BUILDKITE_PLUGIN_CONFIGURATION: `{"api-key": "${KEY}", "job": ` },
  },
];

function loginAtGoogle(ci: Ci): StepSettings {
  return { 'workload-identity-provider': FLOW_RUN.settings(ci)['workload-identity-provider'] };
}
