import { parseArgs } from 'node:util';
import type { Agent, AgentAnswer } from '../../buildkite-plugin/agent.ts';
import type { Env } from '../../buildkite-plugin/buildkite-settings.ts';

const VALUE = { type: 'string' } as const;
const LIST = { type: 'string', multiple: true } as const;
const FLAGS = {
  audience: VALUE,
  lifetime: VALUE,
  claim: LIST,
  'subject-claim': VALUE,
  format: VALUE,
  context: VALUE,
  style: VALUE,
} as const;

export interface AgentOverHttp {
  readonly agent: Agent;
  /** The command lines that were given. */
  readonly commandLines: readonly string[];
  /** What the redactor was told to hide. */
  readonly concealed: readonly string[];
}

/** The commands of `buildkite-agent` that the plugin uses, in this process, against the agent API at `endpoint`. */
export function agentOverHttp(endpoint: string, env: Env): AgentOverHttp {
  const commandLines: string[] = [];
  const concealed: string[] = [];

  const post = async (path: string, body: unknown): Promise<{ status: number; json: Record<string, unknown> }> => {
    const response = await fetch(`${endpoint}/v3/jobs/${env.BUILDKITE_JOB_ID}/${path}`, {
      method: 'POST',
      headers: { authorization: `Token ${env.BUILDKITE_AGENT_ACCESS_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  };
  const told = async (path: string, body: unknown, print?: string): Promise<AgentAnswer> => {
    const { status, json } = await post(path, body);
    return status < 300
      ? { exitCode: 0, stdout: print === undefined ? '' : `${String(json[print])}`, stderr: '' }
      : { exitCode: 1, stdout: '', stderr: `fatal: ${path}: ${status} ${String(json.message)}` };
  };

  const agent: Agent = async (args, { input = '' }) => {
    commandLines.push(args.join(' '));
    const { values, positionals } = parseArgs({ args: [...args], options: FLAGS, allowPositionals: true });
    const [command, action, key] = positionals;
    switch (`${command} ${action ?? ''}`.trim()) {
      case 'oidc request-token':
        return told(
          'oidc/tokens',
          {
            audience: values.audience,
            ...(values.lifetime === undefined ? {} : { lifetime: Number(values.lifetime) }),
            claims: values.claim ?? [],
            ...(values['subject-claim'] === undefined ? {} : { subject_claim: values['subject-claim'] }),
          },
          'token',
        );
      case 'redactor add':
        concealed.push(...Object.values(JSON.parse(input) as Record<string, string>));
        return { exitCode: 0, stdout: '', stderr: '' };
      case 'annotate':
        return told('annotations', { body: input, context: values.context, style: values.style, priority: 3 });
      case 'meta-data set':
        return told('data/set', { key, value: input });
      case 'meta-data get':
        return told('data/get', { key }, 'value');
      default:
        return { exitCode: 1, stdout: '', stderr: `unknown command: ${args.join(' ')}` };
    }
  };
  return { agent, commandLines, concealed };
}
