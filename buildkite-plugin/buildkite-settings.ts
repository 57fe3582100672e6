import { isArray, isObject, type Json, parseJson, tryParseJson } from '../shared/json.ts';
import { choice, duration, list, type Settings, withDefault } from '../shared/settings/settings.ts';

export type Env = Readonly<Record<string, string | undefined>>;

// https://buildkite.com/docs/agent/cli/reference/oidc
const SUBJECT_CLAIMS = [
  'organization_id',
  'pipeline_id',
  'cluster_id',
  'queue_id',
  'build_id',
  'job_id',
  'agent_id',
] as const;

/** Settings that only the plugin has. */
export const buildkiteSettings = {
  'oidc-claims': withDefault(
    list({
      description: 'Optional claims to have in the OIDC token: those that the trust is bound to.',
      expected:
        'a list of claims such as organization_id, pipeline_id, cluster_id, queue_id, build_id or agent_tag:NAME',
      example: ['organization_id', 'pipeline_id', 'cluster_id'],
      pattern: /^(?:agent_tag:[\w.-]+|[a-z_]+)$/,
    }),
    ['organization_id', 'pipeline_id'],
  ),
  'oidc-subject-claim': choice(SUBJECT_CLAIMS, {
    description: 'Make `sub` this id alone, for trust that compares `sub` exactly. Needs agent 3.121 or newer.',
    expected: `one of ${SUBJECT_CLAIMS.join(', ')}`,
    example: 'pipeline_id',
  }),
  'oidc-lifetime': duration({
    description:
      "How long the OIDC token lives. By default an hour where the service's credential ends with it, else the agent's default of 5 minutes.",
    example: '30m',
    atMost: '2h',
  }),
} satisfies Settings;

/**
 * The plugin's configuration. The agent gives it as JSON; when a value in it is null, some agents give none of a plugin's
 * variables, and the list of all plugins of the step is read instead.
 */
export function readPluginConfiguration(
  env: Env,
  kinds: readonly string[],
): { settings: ReadonlyMap<string, Json>; problem?: string } {
  const own = env.BUILDKITE_PLUGIN_CONFIGURATION;
  if (own !== undefined && own !== '') return fromJson(own, 'BUILDKITE_PLUGIN_CONFIGURATION');
  const all = tryParseJson(env.BUILDKITE_PLUGINS ?? '[]');
  const candidates = (isArray(all) ? all : []).flatMap((entry) =>
    isObject(entry)
      ? Object.values(entry).filter((config) => isObject(config) && kinds.includes(String(config.job)))
      : [],
  );
  const [only, ...others] = candidates;
  if (only !== undefined && others.length === 0 && isObject(only)) return { settings: withoutNulls(only) };
  return {
    settings: new Map(),
    problem: 'the agent gave no configuration for the plugin; check that no value in it is empty (null)',
  };
}

function fromJson(text: string, name: string): { settings: ReadonlyMap<string, Json>; problem?: string } {
  try {
    const value = parseJson(text);
    if (isObject(value)) return { settings: withoutNulls(value) };
  } catch (error) {
    if (error instanceof RangeError) return { settings: new Map(), problem: `${name} is ${error.message}` };
  }
  // What it is instead is not shown: a key may be among the settings.
  return { settings: new Map(), problem: `${name} is not a JSON object` };
}

/** A setting without a value is not set. An id too large for a number is its digits. */
function withoutNulls(config: Readonly<Record<string, Json>>): ReadonlyMap<string, Json> {
  const entries = Object.entries(config).filter(([, value]) => value !== null);
  return new Map(entries.map(([name, value]) => [name, typeof value === 'bigint' ? String(value) : value]));
}
