import { isoTime } from '../../clock.ts';
import { urlPart } from '../../http/url-part.ts';
import { defined, isArray, type Json, listAt, numberAt, objectAt, textAt } from '../../json.ts';
import type { Conclusion, RunStatus } from '../../kind.ts';
import { plainTail } from '../../remote-text.ts';
import type { VercelApi } from './api.ts';
import { addressOf } from './deployment-status.ts';

/** What the step itself knows of a deployment that it made. */
export interface UploadStats {
  readonly files: number;
  readonly uploaded: number;
  readonly bytes: number;
}

/** Outputs of a deployment. */
export const deploymentOutputs = {
  'deployment-url': "the deployment's own address",
  target: 'where it was deployed to: `production`, `preview` or the custom environment',
  aliases: 'JSON: the domains that point at it',
  'ready-time': 'when it was ready (RFC 3339)',
  'duration-seconds': 'how long the service worked on it, in seconds',
  files: 'how many files it has, where this step made it',
  'files-uploaded': 'how many of them the service did not have yet',
  bytes: 'the size of all of its files',
  error: "the service's message, when it failed",
};

const EVENTS = 200;
const LONGEST_ERROR = 2_000;

/** What a deployment leaves: addresses, times, sizes, and of a failed one the end of its build log. */
export async function concludeDeployment(
  vercel: VercelApi,
  id: string,
  status: RunStatus,
  uploaded: UploadStats | undefined,
): Promise<Conclusion> {
  const deployment = status.source;
  const ready = numberAt(deployment, 'ready');
  const began = numberAt(deployment, 'createdAt') ?? numberAt(deployment, 'created');
  const outputs = {
    'deployment-url': addressOf(deployment),
    target: textAt(objectAt(deployment, 'customEnvironment'), 'slug') ?? textAt(deployment, 'target') ?? 'preview',
    aliases: JSON.stringify(listAt(deployment, 'alias').filter((alias) => typeof alias === 'string')),
    'ready-time': ready === undefined ? undefined : isoTime(ready),
    'duration-seconds':
      ready === undefined || began === undefined ? undefined : String(Math.max(0, Math.round((ready - began) / 1000))),
    files: uploaded?.files.toString(),
    'files-uploaded': uploaded?.uploaded.toString(),
    bytes: uploaded?.bytes.toString(),
    error: status.failure?.message.slice(0, LONGEST_ERROR),
  };
  // Only a build that failed has a log that explains it.
  const failedToBuild = status.phase === 'failed' && status.word !== 'READY' && status.word !== 'STAGED';
  return { outputs: defined(outputs), notes: failedToBuild ? await buildLog(vercel, id) : domains(status) };
}

/** Which domains lead to a deployment that is ready: whatever comes of it then, people are shown it there. */
function domains({ phase, source, word }: RunStatus): Conclusion['notes'] {
  const aliases = listAt(source, 'alias').filter((alias) => typeof alias === 'string');
  if (word === 'STAGED') {
    const lines = ['none of production yet: vercel-promote points them at this deployment', ...aliases];
    return [{ title: 'Domains', lines }];
  }
  if (aliases.length === 0) return [];
  const isServed = phase === 'failed' && textAt(source, 'target') === 'production';
  const back = isServed ? ['They lead to it already; vercel-rollback goes back to an earlier deployment.'] : [];
  return [{ title: 'Domains', lines: [...aliases, ...back] }];
}

async function buildLog({ call, read }: VercelApi, id: string): Promise<Conclusion['notes']> {
  const query = { builds: '1', direction: 'backward', limit: String(EVENTS) };
  const path = `/v3/deployments/${urlPart(id)}/events`;
  // The failure itself is known; a log that cannot be read is no reason to lose it.
  const events = await read(call('GET', path, { query })).catch(() => undefined);
  const lines = logLines(events);
  return lines.length === 0 ? [] : [{ title: 'End of the build log', lines: plainTail(lines.join('\n')) }];
}

/** The text of events, oldest first. https://vercel.com/docs/rest-api/deployments/get-deployment-events */
export function logLines(events: Json | undefined): readonly string[] {
  if (!isArray(events)) return [];
  const told = events.flatMap((event) => {
    const text = textAt(event, 'text') ?? textAt(objectAt(event, 'payload'), 'text');
    const at =
      numberAt(event, 'created') ?? numberAt(event, 'date') ?? numberAt(objectAt(event, 'payload'), 'date') ?? 0;
    return text === undefined || text === '' ? [] : [{ text, at }];
  });
  // Asked for backward, they come with the latest first; equal times keep the order that they would have forward.
  return told
    .toReversed()
    .sort((left, right) => left.at - right.at)
    .map(({ text }) => text.replace(/\n$/, ''));
}
