#!/usr/bin/env node
// A recording stand-in for the `buildkite-agent` command, not the agent: link to it from PATH under that name. It adds one JSON
// line { argv, stdin, env } for each call to $RECORD_FILE and answers from the API at $BUILDKITE_AGENT_ENDPOINT, with
// the flags, messages and exit codes of the version in $RECORD_VERSION (https://buildkite.com/docs/agent/cli/reference).
// The Job API counts as present where its two variables are set; redactions are recorded and go nowhere else.
import { appendFileSync, fstatSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseFlags } from './go-flags.mjs';

// An import of it loads all of Node's WebSocket too, which doubles the time that every call takes.
const { request } = process.getBuiltinModule('node:http');
const version = process.env.RECORD_VERSION ?? '3.137.2';
const ATTEMPTS = 5;
const ATTEMPT_INTERVAL_MS = 20;

const FLAG = {};
const VALUE = { takes: 'value' };
const LIST = { takes: 'list' };
const COMMON_FLAGS = {
  ...{ 'no-color': FLAG, debug: FLAG, 'debug-http': FLAG, 'trace-http': FLAG, 'no-http2': FLAG },
  ...{ 'log-level': VALUE, profile: VALUE, experiment: LIST },
  'agent-access-token': { ...VALUE, env: 'BUILDKITE_AGENT_ACCESS_TOKEN' },
  endpoint: { ...VALUE, env: 'BUILDKITE_AGENT_ENDPOINT' },
};
const JOB = { ...VALUE, env: 'BUILDKITE_JOB_ID' };

/** `since`: the first version that knows a flag. `stdin`: whether the command reads it, given its arguments. */
const COMMANDS = {
  'oidc request-token': {
    flags: {
      ...{ audience: VALUE, lifetime: VALUE, job: JOB },
      claim: { ...LIST, since: '3.44', env: 'BUILDKITE_OIDC_TOKEN_CLAIMS' },
      'subject-claim': { ...VALUE, since: '3.121', env: 'BUILDKITE_OIDC_TOKEN_SUBJECT_CLAIM' },
      'skip-redaction': { since: '3.104', env: 'BUILDKITE_AGENT_OIDC_REQUEST_TOKEN_SKIP_TOKEN_REDACTION' },
    },
    needs: ['agent-access-token', 'job'],
    run: requestToken,
  },
  'redactor add': {
    flags: { format: VALUE, 'redacted-vars': LIST },
    needs: [],
    stdin: (args) => args.length === 0,
    run: () => requireJobApi((missing) => `failed to create Job API client: ${missing}`),
  },
  annotate: {
    flags: {
      ...{ context: VALUE, style: VALUE, append: FLAG, priority: VALUE, job: JOB, 'redacted-vars': LIST },
      scope: { ...VALUE, since: '3.112' },
    },
    needs: ['agent-access-token', 'job'],
    stdin: (args) => args.length === 0 && !fstatSync(0).isCharacterDevice(),
    run: annotate,
  },
  'meta-data set': {
    flags: { job: JOB, 'redacted-vars': LIST },
    needs: ['agent-access-token', 'job'],
    stdin: (args) => args.length < 2,
    run: setMetaData,
  },
  'meta-data get': {
    flags: { default: VALUE, job: JOB, build: VALUE },
    needs: ['agent-access-token'],
    run: getMetaData,
  },
  'meta-data keys': {
    flags: { job: JOB, build: VALUE },
    needs: ['agent-access-token'],
    run: metaDataKeys,
  },
  'annotation remove': {
    flags: { context: VALUE, job: JOB, scope: { ...VALUE, since: '3.112' } },
    needs: ['agent-access-token', 'job'],
    run: removeAnnotation,
  },
  'meta-data exists': {
    flags: { job: JOB, build: VALUE },
    needs: ['agent-access-token'],
    run: metaDataExists,
  },
};

class Failure extends Error {}

const argv = process.argv.slice(2);
try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

async function main() {
  if (argv[0] === '--version' || argv[0] === '-v') {
    process.stdout.write(`buildkite-agent version ${version}+recording\n`);
    return 0;
  }
  const { name, command, options, args, stdin } = prepare();
  const missing = command.needs.find((each) => !options[each]);
  if (missing !== undefined) throw new Failure(`Missing ${missing}. See: \`buildkite-agent ${name} --help\``);
  return (await command.run(options, args, stdin)) ?? 0;
}

/** Every call is recorded before it is answered, those that are not understood too. */
function prepare() {
  let stdin = null;
  try {
    const name = [argv.slice(0, 2).join(' '), argv[0]].find((each) => Object.hasOwn(COMMANDS, each ?? ''));
    if (name === undefined) throw new Failure(`buildkite-agent: unknown subcommand "${argv[0] ?? ''}"`);
    const command = COMMANDS[name];
    const { options, args, fault } = parseFlags(argv.slice(name.split(' ').length), knownFlags(command), process.env);
    if (fault !== undefined) {
      process.stdout.write(`Incorrect Usage: ${fault}\n\n`);
      throw fatal(fault);
    }
    if (command.stdin?.(args)) stdin = readFileSync(0, 'utf8');
    return { name, command, options, args, stdin };
  } finally {
    const line = JSON.stringify({ argv, stdin, env: process.env });
    if (process.env.RECORD_FILE !== undefined) appendFileSync(process.env.RECORD_FILE, `${line}\n`);
  }
}

function knownFlags(command) {
  const flags = Object.entries({ ...COMMON_FLAGS, ...command.flags });
  return Object.fromEntries(flags.filter(([, { since }]) => isSince(since)));
}

function isSince(since) {
  const [major, minor] = version.split('.').map(Number);
  const [sinceMajor, sinceMinor] = (since ?? '0.0').split('.').map(Number);
  return major > sinceMajor || (major === sinceMajor && minor >= sinceMinor);
}

async function requestToken(options) {
  const lifetime = Number(options.lifetime ?? 0);
  if (!Number.isInteger(lifetime) || lifetime < 0) throw fatal(`lifetime ${lifetime} must be a non-negative integer`);
  const { audience, claim, 'subject-claim': subjectClaim } = options;
  const answer = await post(options, `jobs/${segment(options.job)}/oidc/tokens`, {
    ...(audience ? { audience } : {}),
    ...(lifetime > 0 ? { lifetime } : {}),
    ...(claim === undefined ? {} : { claims: claim }),
    ...(subjectClaim ? { subject_claim: subjectClaim } : {}),
  });
  const requested = audience ? `audience ${audience}` : 'default audience';
  if (!answer.ok) throw fatal(`could not obtain OIDC token for ${requested}: ${answer.problem}`);
  if (isSince('3.104') && !options['skip-redaction']) {
    requireJobApi(
      (missing) =>
        `automatic OIDC token redaction requires the Job API, but the Job API client could not be created (error: ${missing}). ` +
        'To output the token anyway, explicitly opt out of redaction with --skip-redaction',
    );
  }
  process.stdout.write(`${answer.body.token}\n`);
}

async function annotate(options, [body], stdin) {
  const { context, style, append, priority = '3', scope } = options;
  const answer = await post(options, `jobs/${segment(options.job)}/annotations`, {
    ...(body || stdin ? { body: body || stdin } : {}),
    ...(context ? { context } : {}),
    ...(style ? { style } : {}),
    ...(append ? { append } : {}),
    priority: Number(priority),
    ...(isSince('3.112') ? { scope: scope ?? 'build' } : {}),
  });
  if (!answer.ok) throw fatal(`failed to annotate build: ${answer.problem}`);
}

async function setMetaData(options, [key, argument], stdin) {
  if (!key) throw new Failure('Missing meta-data key. See: `buildkite-agent meta-data set --help`');
  const value = argument ?? stdin;
  if (value.trim() === '') throw fatal('value cannot be empty, or composed of only whitespace characters');
  const answer = await post(options, `jobs/${segment(options.job)}/data/set`, { key, value });
  if (!answer.ok) throw fatal(`failed to set meta-data: ${answer.problem}`);
}

async function getMetaData(options, [key]) {
  const answer = await post(options, `${owner(options)}/data/get`, { key });
  if (!answer.ok && !(answer.status === 404 && options.default !== undefined)) {
    throw fatal(`failed to get meta-data: ${answer.problem}`);
  }
  process.stdout.write((answer.ok ? answer.body.value : options.default) + (isSince('4.0') ? '\n' : ''));
}

async function metaDataExists(options, [key]) {
  const answer = await post(options, `${owner(options)}/data/exists`, { key });
  if (!answer.ok) throw fatal(`failed to see if meta-data exists: ${answer.problem}`);
  return answer.body.exists ? 0 : 100;
}

async function metaDataKeys(options) {
  const answer = await post(options, `${owner(options)}/data/keys`, {});
  if (!answer.ok) throw fatal(`failed to find meta-data keys: ${answer.problem}`);
  for (const key of answer.body) process.stdout.write(`${key}\n`);
}

async function removeAnnotation({ context = 'default', ...options }) {
  const path = `jobs/${segment(options.job)}/annotations/${segment(context)}?scope=${options.scope ?? 'build'}`;
  const answer = await post(options, path, undefined, 'DELETE');
  if (!answer.ok) throw fatal(`failed to remove annotation: ${answer.problem}`);
}

function owner({ build, job }) {
  return build ? `builds/${segment(build)}` : `jobs/${segment(job ?? '')}`;
}

function segment(id) {
  return encodeURIComponent(id).replaceAll('.', '%2E');
}

function requireJobApi(message) {
  const missing = ['BUILDKITE_AGENT_JOB_API_SOCKET', 'BUILDKITE_AGENT_JOB_API_TOKEN'].find(
    (name) => !process.env[name],
  );
  if (missing !== undefined) throw fatal(message(`${missing} empty or undefined`));
}

function fatal(message) {
  return new Failure(`buildkite-agent: fatal: ${message}`);
}

/** Tries again as the agent does, after what may pass: no connection, 429 and 5xx. */
async function post(options, path, body, method = 'POST') {
  const url = `${options.endpoint}/${path}`;
  for (let attempt = 1; ; attempt += 1) {
    const answer = await sendOnce(method, url, options['agent-access-token'], body);
    if (answer.ok || !(answer.status === undefined || answer.status === 429 || answer.status >= 500)) return answer;
    if (attempt === ATTEMPTS) return answer;
    process.stderr.write(`WARN   ${answer.problem} (Attempt ${attempt}/${ATTEMPTS})\n`);
    await sleep(ATTEMPT_INTERVAL_MS);
  }
}

function sendOnce(method, url, token, body) {
  const headers = {
    authorization: `Token ${token}`,
    'content-type': 'application/json',
    'user-agent': `buildkite-agent/${version}.recording (linux; amd64)`,
  };
  return new Promise((resolve) => {
    const call = request(url, { method, headers }, async (response) => {
      let text = '';
      for await (const chunk of response.setEncoding('utf8')) text += chunk;
      const { statusCode: status, statusMessage } = response;
      const parsed = /^[{[]/.test(text) ? JSON.parse(text) : {};
      const problem = `${method} ${url}: ${status} ${statusMessage}${parsed.message ? `: ${parsed.message}` : ''}`;
      resolve({ ok: status >= 200 && status < 300, status, body: parsed, problem });
    });
    call.on('error', (error) => resolve({ ok: false, problem: `Post "${url}": ${error.message}` }));
    call.end(body === undefined ? '' : `${JSON.stringify(body)}\n`);
  });
}
