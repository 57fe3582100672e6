import { loginPage } from './databricks-errors.ts';
import { cloudOf } from './databricks-hosts.ts';
import { type DatabricksJobs, type DatabricksJobsOptions, databricksJobs } from './databricks-jobs.ts';
import {
  type DatabricksTokenEndpoint,
  type DatabricksTokenOptions,
  databricksTokenEndpoint,
} from './databricks-token.ts';
import type { Handler } from './serve.ts';

export type DatabricksOptions = DatabricksTokenOptions & Omit<DatabricksJobsOptions, 'resolve'>;

export interface DatabricksSimulators
  extends Pick<DatabricksTokenEndpoint, 'issued' | 'resolve'>,
    Pick<DatabricksJobs, 'nextLife' | 'runs' | 'deleteRun'> {
  /** The simulator that answers for a host, if it is one of the account's. */
  readonly hosts: (host: string) => Handler | undefined;
}

/** One workspace and its account console, which share the tokens that they issue. */
export function databricksSimulators(options: DatabricksOptions): DatabricksSimulators {
  const { accountsHost } = cloudOf(options.workspaceHost);
  const { handle: tokens, issued, resolve } = databricksTokenEndpoint(options);
  const { handle: jobs, nextLife, runs, deleteRun } = databricksJobs({ ...options, resolve });

  const workspace: Handler = async (request) =>
    isTokenPath(request) ? tokens(onHost(request, options.workspaceHost)) : jobs(request);
  // The console has no workspace API: a path it does not know brings up its web application.
  const accounts: Handler = async (request) =>
    isTokenPath(request) ? tokens(onHost(request, accountsHost)) : loginPage();

  return {
    hosts: (host) => (host === options.workspaceHost ? workspace : host === accountsHost ? accounts : undefined),
    issued,
    resolve,
    nextLife,
    runs,
    deleteRun,
  };
}

function isTokenPath(request: Request): boolean {
  return /^\/(oidc|\.well-known)\//.test(new URL(request.url).pathname);
}

function onHost(request: Request, host: string): Request {
  const headers = new Headers(request.headers);
  headers.set('x-simulated-host', host);
  return new Request(request, { headers });
}
