import { defined } from '../shared/json.ts';
import type { Env } from './buildkite-settings.ts';

export interface AgentAnswer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `buildkite-agent`. Values go in on stdin, never as arguments. Never rejects: a command that cannot run has exit code 127. */
export type Agent = (
  args: readonly string[],
  options: { readonly input?: string; readonly timeoutMs: number; readonly signal?: AbortSignal; readonly env?: Env },
) => Promise<AgentAnswer>;

// What the agent needs to reach its API, and nothing else of the step's environment.
const PASSED_ON =
  /^(?:PATH|HOME|USER|TMPDIR|LANG|LC_.*|TZ|SSL_CERT_.*|https?_proxy|no_proxy|BUILDKITE_(?!PLUGIN).*|SYSTEMROOT)$/i;

/** The agent's command line, as it is on the step's PATH. https://buildkite.com/docs/agent/cli/reference */
export function buildkiteAgent(env: Env): Agent {
  const own = Object.fromEntries(Object.entries(env).filter(([name]) => PASSED_ON.test(name)));
  return async (args, { input, timeoutMs, signal, env: more }) => {
    const { execa } = await import('execa');
    const result = await execa('buildkite-agent', args, {
      ...(input === undefined ? { stdin: 'ignore' } : { input }),
      env: { ...own, ...more },
      extendEnv: false,
      reject: false,
      timeout: timeoutMs,
      // The library would print what the command prints, if NODE_DEBUG asked it to.
      verbose: 'none',
      // The agent signals the hook's whole process group; what it is told at the end must not die of that.
      detached: true,
      ...defined({ cancelSignal: signal }),
    });
    return {
      exitCode: result.exitCode ?? (result.timedOut ? 124 : 127),
      stdout: typeof result.stdout === 'string' ? result.stdout : '',
      stderr: result.timedOut ? `no answer within ${timeoutMs / 1000} s` : String(result.stderr ?? ''),
    };
  };
}
