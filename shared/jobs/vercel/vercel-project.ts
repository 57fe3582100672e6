import type { HttpCall } from '../../http.ts';
import { type Json, textAt } from '../../json.ts';
import type { ServiceClient } from '../../service-client.ts';
import { segment, type VercelCall } from './vercel-api.ts';
import { unreadableProject } from './vercel-errors.ts';

/** A project as the service has it. */
export interface VercelProject {
  readonly id: string;
  readonly name: string;
  readonly source: Json;
}

/** https://vercel.com/docs/rest-api/projects/find-a-project-by-id-or-name */
export function projectCall(call: VercelCall, project: string): HttpCall {
  return call('GET', `/v9/projects/${segment(project)}`);
}

/**
 * Looks a project up, which also shows early whether the identity may see it.
 * @throws SubmitError what the service's refusal means.
 */
export async function readProject(
  project: string,
  call: VercelCall,
  client: ServiceClient,
  signal: AbortSignal,
): Promise<VercelProject> {
  const source = await client.read(projectCall(call, project), signal);
  const id = textAt(source, 'id');
  if (id === undefined) throw unreadableProject(project);
  return { id, name: textAt(source, 'name') ?? project, source };
}
