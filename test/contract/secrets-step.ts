import { buildkiteHost } from '../../buildkite-plugin/buildkite-host.ts';
import { readPluginConfiguration } from '../../buildkite-plugin/buildkite-settings.ts';
import { bitbucketHost } from '../../pipe/bitbucket-host.ts';
import { readPipeVariables } from '../../pipe/bitbucket-settings.ts';
import { checkoutFiles } from '../../shared/edge/checkout-files.ts';
import { network } from '../../shared/edge/network.ts';
import { SubmitError } from '../../shared/errors.ts';
import { explainToUser } from '../../shared/host/explain-to-user.ts';
import type { Host } from '../../shared/host/host.ts';
import { withRedaction } from '../../shared/host/redaction.ts';
import { createHttp, HTTP_TIMINGS } from '../../shared/http/http.ts';
import type { ExchangeEnvironment } from '../../shared/identity/exchange.ts';
import type { Json } from '../../shared/json.ts';
import { bindSecrets, secretSettings } from '../../shared/secrets/secret-settings.ts';
import { collectFaults, parseSettings, secret } from '../../shared/settings/settings.ts';
import { brokerSecrets, VAULT } from '../simulators/brokers-tenant.ts';
import { providerName } from '../simulators/tenant.ts';
import type { RecordedRequest } from '../simulators/world.ts';
import { agentOverHttp } from './agent-over-http.ts';
import type { Stage } from './harness.ts';
import type { Ci } from './kind-samples.ts';
import { stepEnvironment } from './step-environment.ts';

export interface SecretStep {
  readonly ci: Ci;
  readonly settings: Readonly<Record<string, Json>>;
  /** What the step's token is made for, where the CI does not ask the settings. */
  readonly audience?: string;
  readonly signal?: AbortSignal;
}

export interface SecretStepResult {
  /** What was read, by setting. */
  readonly values: Readonly<Record<string, string>>;
  /** What is wrong with the settings. */
  readonly faults: readonly string[];
  readonly error: SubmitError | undefined;
  readonly log: string;
  readonly concealed: readonly string[];
  readonly requests: readonly RecordedRequest[];
}

const key = secret({ description: 'A key.', expected: 'a key', example: 'key' });
const SETTINGS = { 'api-key': key, 'auth-string': key, ...secretSettings };
const NAMES = ['api-key', 'auth-string'];

/** What a step of either CI exchanges tokens with, its log, and what Buildkite's redactor was told to hide. */
export async function exchangeStep(stage: Stage, step: SecretStep) {
  const { world, clock, directory } = stage;
  const sample = { settings: () => ({}), audience: () => step.audience ?? '' };
  const env = await stepEnvironment(stage, { ...step, kind: 'secrets' }, sample, directory);
  const chunks: string[] = [];
  const write = (text: string) => void chunks.push(text);
  const files = checkoutFiles(directory);
  const { agent, concealed, commandLines } = agentOverHttp(`${world.url}/agent-edge.buildkite.com`, env);
  const host = withRedaction(
    step.ci === 'bitbucket'
      ? bitbucketHost({ env, files, write, settings: readPipeVariables(env, SETTINGS) })
      : buildkiteHost({ env, files, write, agent, settings: readPluginConfiguration(env, ['secrets']).settings }),
  );
  const http = createHttp(network(env).transport, clock, { ...HTTP_TIMINGS, attemptMs: 2_000 });
  const { subjectTokens, log, conceal } = host;
  const exchange: ExchangeEnvironment = { http, clock, log, subjectTokens, conceal };
  return { host, exchange, concealed, commandLines, env, printed: () => chunks.join('') };
}

/** The secrets that a step's settings name, or what is wrong with these. */
export function boundSecrets({ context, settings, spell, subjectTokens }: Host) {
  const faults = collectFaults(spell);
  const given = parseSettings(SETTINGS, settings, faults);
  const secrets = given === undefined ? undefined : bindSecrets(given, NAMES, { context, subjectTokens, faults });
  return { faults, secrets };
}

/** Binds and reads the secrets of a job that needs two, as both packagings do, and looks for leaks. */
export async function readSecrets(stage: Stage, step: SecretStep): Promise<SecretStepResult> {
  const { world } = stage;
  const from = world.requests.length;
  const { host, exchange, concealed, commandLines, env, printed } = await exchangeStep(stage, step);
  const { faults, secrets } = boundSecrets(host);
  const values: Record<string, string> = {};
  let error: SubmitError | undefined;
  if (secrets !== undefined && faults.messages.length === 0) {
    try {
      for (const name of NAMES) {
        const value = await secrets.get(name)?.read(exchange, step.signal ?? new AbortController().signal);
        if (value !== undefined) values[name] = value.reveal();
      }
    } catch (caught) {
      if (!(caught instanceof SubmitError)) throw caught;
      error = caught;
      explainToUser(caught, host);
    }
  }

  const log = printed();
  const shown = JSON.stringify({ log, faults: faults.messages, commandLines });
  const issued = [...world.google.issuedTokens(), ...world.brokers.issuedTokens(), ...brokerSecrets()];
  const tokens = [...issued, ...world.agentApi.oidcRequests().map(({ token }) => token), env.BITBUCKET_STEP_OIDC_TOKEN];
  const leaked = tokens.find((token) => token !== undefined && shown.includes(token.slice(-16)));
  if (leaked !== undefined) throw new Error(`A secret can be seen: ${shown}`);
  const requests = world.requests.slice(from).filter((request) => request.host !== 'agent-edge.buildkite.com');
  return { values, faults: faults.messages, error, log, concealed, requests };
}

export const CIS = ['bitbucket', 'buildkite'] as const;

/** The settings of a login at each broker, without the references. */
export const LOGIN = {
  google: (ci: Ci) => ({ 'workload-identity-provider': providerName(ci) }),
  vault: (ci: Ci) => ({
    'vault-address': `https://${VAULT.host}`,
    'vault-role': VAULT.role,
    'vault-auth-mount': VAULT.mounts[ci],
  }),
};
