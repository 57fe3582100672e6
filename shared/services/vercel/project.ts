import type { HttpCall } from '../../http/http.ts';
import { urlPart } from '../../http/url-part.ts';
import { type Json, textAt } from '../../json.ts';
import type { VercelApi, VercelCall } from './api.ts';
import { unreadableProject } from './errors.ts';

/** A project as the service has it. */
export interface VercelProject {
  readonly id: string;
  readonly name: string;
  readonly source: Json;
}

/** Those of old projects do not begin with `prj_`. */
const PROJECT_ID = /^[A-Za-z0-9_]{1,100}$/;
const PROJECT_NAME = /^[A-Za-z0-9._-]{1,100}$/;

/** https://vercel.com/docs/rest-api/projects/find-a-project-by-id-or-name */
export function projectCall(call: VercelCall, project: string): HttpCall {
  return call('GET', `/v9/projects/${urlPart(project)}`);
}

/**
 * Looks a project up, which also shows early whether the identity may see it.
 * @throws SubmitError what the service's refusal means.
 */
export async function readProject({ call, read }: VercelApi, project: string): Promise<VercelProject> {
  const source = await read(projectCall(call, project));
  const id = textAt(source, 'id');
  if (id === undefined || !PROJECT_ID.test(id)) throw unreadableProject(project);
  const name = textAt(source, 'name') ?? '';
  return { id, name: PROJECT_NAME.test(name) ? name : project, source };
}
