import { SubmitError } from '../shared/errors.ts';
import type { SubjectTokenSource } from '../shared/host/host.ts';
import { plainText } from '../shared/remote-text.ts';
import { Secret } from '../shared/secret.ts';
import type { SettingValues } from '../shared/settings/settings.ts';
import type { Agent } from './agent.ts';
import type { buildkiteSettings, Env } from './buildkite-settings.ts';

const TIMEOUT_MS = 60_000;
/** Ids that name a build, a job in it, or whichever agent takes that. */
const CHANGING_CLAIMS: ReadonlySet<string> = new Set(['build_id', 'job_id', 'agent_id']);

/** The arguments of `buildkite-agent oidc request-token`. Newer flags are used only when asked for: older agents refuse them. */
function requestTokenArguments(
  audience: string,
  lifetimeSeconds: number | undefined,
  { 'oidc-claims': claims, 'oidc-subject-claim': subjectClaim }: SettingValues<typeof buildkiteSettings>,
): readonly string[] {
  return [
    'oidc',
    'request-token',
    '--audience',
    audience,
    ...(lifetimeSeconds === undefined ? [] : ['--lifetime', String(lifetimeSeconds)]),
    ...claims.flatMap((claim) => ['--claim', claim]),
    ...(subjectClaim === undefined ? [] : ['--subject-claim', subjectClaim]),
  ];
}

/** A new token for each request. https://buildkite.com/docs/agent/cli/reference/oidc */
export function buildkiteTokens(
  agent: Agent,
  env: Env,
  values: () => SettingValues<typeof buildkiteSettings>,
): SubjectTokenSource {
  // Without the job's socket a newer agent cannot register the token for redaction and would give none. Older agents ignore the variable.
  const withoutSocket = env.BUILDKITE_AGENT_JOB_API_SOCKET === undefined;
  const childEnv = withoutSocket ? { BUILDKITE_AGENT_OIDC_REQUEST_TOKEN_SKIP_TOKEN_REDACTION: 'true' } : {};
  const request = (audience: string, lifetimeSeconds: number | undefined, signal: AbortSignal) =>
    agent(requestTokenArguments(audience, lifetimeSeconds, values()), { timeoutMs: TIMEOUT_MS, signal, env: childEnv });

  return {
    renewable: true,
    // Every token is made for the audience that was asked for.
    isDefaultAudience: () => false,
    changingSubject: () => {
      const claim = values()['oidc-subject-claim'];
      if (claim === undefined)
        return "Buildkite's subject names the commit unless «oidc-subject-claim» makes it an id that stays, such as pipeline_id";
      return CHANGING_CLAIMS.has(claim)
        ? `${claim} is another one in each run; set «oidc-subject-claim» to an id that stays, such as pipeline_id`
        : undefined;
    },
    howToRequest: (audience, setting = 'audience') => [
      "In pipeline.yml, in the plugin's configuration:",
      `  ${setting}: ${audience}`,
    ],
    getSubjectToken: async ({ audience, lifetimeSeconds, signal }) => {
      const wanted = values()['oidc-lifetime'] ?? lifetimeSeconds;
      let answer = await request(audience, wanted, signal);
      if (
        answer.exitCode !== 0 &&
        wanted !== undefined &&
        values()['oidc-lifetime'] === undefined &&
        /lifetime/i.test(answer.stderr)
      ) {
        // An organisation may allow less than an hour; the default is always allowed, and a new token can be had at any time.
        answer = await request(audience, undefined, signal);
      }
      signal.throwIfAborted();
      const token = answer.stdout.trim();
      if (answer.exitCode === 0 && token !== '') return new Secret(token);
      throw new SubmitError('token-missing', {
        happened: `buildkite-agent gave no OIDC token (exit code ${answer.exitCode})`,
        presented: [`audience ${audience}`, `claims ${values()['oidc-claims'].join(', ')}`],
        expected: ['a token on standard output'],
        words: plainText(answer.stderr),
        remedy: whatToDo(answer.exitCode, answer.stderr),
      });
    },
  };
}

function whatToDo(exitCode: number, stderr: string): readonly string[] {
  if (exitCode === 127)
    return ['Put buildkite-agent on the PATH of the step: in a container, mount it and pass its variables.'];
  if (/flag provided but not defined|unknown flag/i.test(stderr)) {
    return [
      'The agent is too old for a flag: --claim needs 3.44, --subject-claim 3.121. Update it, or remove oidc-subject-claim and bind the trust to the claim itself.',
    ];
  }
  if (/lifetime/i.test(stderr)) return ['Lower oidc-lifetime.'];
  if (/BUILDKITE_AGENT_ACCESS_TOKEN|401|403/.test(stderr)) {
    return [
      'Check that BUILDKITE_AGENT_ACCESS_TOKEN, BUILDKITE_AGENT_ENDPOINT and BUILDKITE_JOB_ID reach the step (containers need them passed).',
    ];
  }
  return ['The words of the agent above say why; OIDC needs agent 3.41 or newer.'];
}
