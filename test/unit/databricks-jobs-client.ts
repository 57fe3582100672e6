import { expect } from 'vitest';
import type { DatabricksOptions } from '../simulators/databricks.ts';
import { parseInt64Json } from '../simulators/databricks-int64.ts';
import { databricksWorld, WORKSPACE } from './databricks-world.ts';

export const TASK = {
  task_key: 'main',
  existing_cluster_id: '0801-abc',
  spark_python_task: { python_file: '/Volumes/ml/ci/train.py' },
};

interface State {
  readonly life_cycle_state: string;
  readonly result_state?: string;
}

/** What these tests read of a run; ids are strings, as `parseInt64Json` gives them. */
export interface RunAnswer {
  readonly state: State;
  readonly status: { readonly state: string; readonly termination_details?: Readonly<Record<string, string>> };
  readonly tasks: readonly {
    readonly run_id: string;
    readonly task_key: string;
    readonly attempt_number: number;
    readonly state: State;
    readonly git_source?: unknown;
  }[];
  readonly git_source?: unknown;
  readonly has_more?: boolean;
  readonly next_page_token?: string;
}

/** Talks to the Jobs API as one service principal. */
export async function databricksJobsClient(options: Partial<DatabricksOptions> = {}) {
  const world = await databricksWorld(options);
  const headers = { authorization: `Bearer ${await world.accessToken()}`, 'content-type': 'application/json' };

  const send = (path: string, body?: unknown) =>
    world.ask(WORKSPACE, path, {
      headers,
      ...(body === undefined ? {} : { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  const answer = async (path: string, body?: unknown): Promise<Record<string, unknown>> => {
    const response = await send(path, body);
    const text = await response.text();
    expect(response.status, text).toBe(200);
    return parseInt64Json(text) as Record<string, unknown>;
  };
  const refused = async (path: string, body?: unknown) => {
    const response = await send(path, body);
    const { error_code, message } = (await response.json()) as { error_code: string; message: string };
    return { status: response.status, error_code, message };
  };

  return {
    ...world,
    answer,
    refused,
    text: async (path: string) => (await send(path)).text(),
    submit: async (body: unknown) => String((await answer('/api/2.2/jobs/runs/submit', body)).run_id),
    run: async (id: string, pageToken?: string) => {
      const page = pageToken === undefined ? '' : `&page_token=${pageToken}`;
      return (await answer(`/api/2.2/jobs/runs/get?run_id=${id}${page}`)) as unknown as RunAnswer;
    },
    output: (id: string | undefined) => answer(`/api/2.2/jobs/runs/get-output?run_id=${id}`),
    cancel: (id: string) => answer('/api/2.2/jobs/runs/cancel', { run_id: id }),
  };
}
