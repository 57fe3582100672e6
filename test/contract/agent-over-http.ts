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

  const send = async (method: string, path: string, body?: unknown): Promise<{ status: number; json: unknown }> => {
    const response = await fetch(`${endpoint}/v3/jobs/${env.BUILDKITE_JOB_ID}/${path}`, {
      method,
      headers: { authorization: `Token ${env.BUILDKITE_AGENT_ACCESS_TOKEN}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, json: text === '' ? {} : JSON.parse(text) };
  };
  const answered = async (
    path: string,
    sent: ReturnType<typeof send>,
    print: (json: unknown) => string = () => '',
  ): Promise<AgentAnswer> => {
    const { status, json } = await sent;
    return status < 300
      ? { exitCode: 0, stdout: print(json), stderr: '' }
      : { exitCode: 1, stdout: '', stderr: `fatal: ${path}: ${status} ${String(member(json, 'message'))}` };
  };
  const told = (path: string, body: unknown, print?: string): Promise<AgentAnswer> =>
    answered(
      path,
      send('POST', path, body),
      print === undefined ? undefined : (json) => `${String(member(json, print))}`,
    );

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
      case 'annotation remove': {
        const path = `annotations/${encodeURIComponent(values.context ?? 'default')}?scope=build`;
        return answered(path, send('DELETE', path));
      }
      case 'meta-data keys':
        return answered('data/keys', send('POST', 'data/keys'), (json) => (json as string[]).join('\n'));
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

function member(json: unknown, name: string): unknown {
  return (json as Record<string, unknown>)[name];
}
