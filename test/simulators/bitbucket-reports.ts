import { type Report, type ReportFields, reportFault } from './bitbucket-report-body.ts';
import { parseJsonObject } from './json-object.ts';
import type { Handler } from './serve.ts';

export type { Report, ReportFields } from './bitbucket-report-body.ts';

export interface BitbucketReportsOptions {
  /** `workspace/repository`. */
  readonly repository: string;
  /** The full hash of the commit that the step builds. */
  readonly commit: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** One report of the commit: what it is now (undefined once deleted), and each body that was accepted. */
export interface ReportHistory {
  readonly id: string;
  readonly current: Report | undefined;
  readonly puts: readonly ReportFields[];
}

export interface BitbucketReports {
  readonly handle: Handler;
  reports(): readonly ReportHistory[];
  /** Requests that the proxy refused or that Bitbucket answered with an error: `METHOD URL -> STATUS MESSAGE`. */
  refusals(): readonly string[];
}

const REPORT_PATH = /^\/2\.0\/repositories\/([^/]+\/[^/]+)\/commit\/([^/]+)\/reports\/([^/]+)$/;
const SHORTEST_COMMIT = 12;

/**
 * The proxy of a Bitbucket Pipelines step that adds the step's own authorisation to Code Insights requests, and the
 * reports resource behind it (https://developer.atlassian.com/cloud/bitbucket/rest/api-group-reports/). It forwards
 * plain http in absolute form only; a CONNECT finds nobody, since the server that serves this has no tunnel.
 */
export function bitbucketReports(options: BitbucketReportsOptions): BitbucketReports {
  const histories = new Map<string, ReportHistory>();
  const refusals: string[] = [];

  return {
    handle: async (request) => {
      const answer = await route(request);
      if (answer.response === undefined) {
        refusals.push(`${request.method} ${request.url} -> ${answer.status} ${answer.message}`);
        return Response.json(answer.body, { status: answer.status });
      }
      return answer.response;
    },
    reports: () => [...histories.values()],
    refusals: () => refusals,
  };

  async function route(request: Request): Promise<Answer> {
    const { protocol, host, pathname } = new URL(request.url);
    if (protocol !== 'http:' || host !== 'api.bitbucket.org')
      return forbidden('Only http://api.bitbucket.org is allowed');
    const [, repository, commit, reportId] = REPORT_PATH.exec(pathname) ?? [];
    if (repository === undefined || commit === undefined || reportId === undefined) {
      return forbidden('Only reports may be requested without credentials');
    }
    if (decodeURIComponent(repository) !== options.repository) {
      return bitbucketError(404, `Repository ${repository} not found`);
    }
    if (!isCommit(commit)) return bitbucketError(404, 'Commit not found');
    const id = decodeURIComponent(reportId);
    switch (request.method) {
      case 'PUT':
        return put(id, await request.text());
      case 'GET': {
        const report = histories.get(id)?.current;
        return report === undefined ? reportNotFound() : { response: Response.json(report) };
      }
      case 'DELETE': {
        const history = histories.get(id);
        if (history?.current === undefined) return reportNotFound();
        histories.set(id, { ...history, current: undefined });
        return { response: new Response(null, { status: 204 }) };
      }
      default:
        return bitbucketError(405, 'Method not allowed');
    }
  }

  function put(id: string, text: string): Answer {
    const body = parseJsonObject(text);
    const fault = reportFault(body);
    if (fault !== undefined) return reportError(400, 'report-service.general.bad-request', fault);
    const fields = body as unknown as ReportFields;
    const history = histories.get(id) ?? { id, current: undefined, puts: [] };
    const now = new Date(options.now()).toISOString();
    const current: Report = {
      ...history.current,
      ...fields,
      type: 'report',
      uuid: history.current?.uuid ?? `{${crypto.randomUUID()}}`,
      external_id: fields.external_id ?? id,
      created_on: history.current?.created_on ?? now,
      updated_on: now,
    };
    histories.set(id, { id, current, puts: [...history.puts, fields] });
    return { response: Response.json(current) };
  }

  /** The step's own variable holds an abbreviated hash in some builds. */
  function isCommit(commit: string): boolean {
    return commit.length >= SHORTEST_COMMIT && options.commit.startsWith(commit);
  }
}

type Answer =
  | { readonly response: Response }
  | { readonly response?: never; readonly status: number; readonly message: string; readonly body: unknown };

/** The shape in which the report service itself refuses. */
function reportError(status: number, key: string, message: string): Answer {
  return { status, message, body: { key, message, arguments: {} } };
}

function reportNotFound(): Answer {
  return reportError(404, 'report-service.report.not-found', 'The report was not found');
}

/** The shape in which the rest of the API refuses. */
function bitbucketError(status: number, message: string): Answer {
  return { status, message, body: { type: 'error', error: { message } } };
}

function forbidden(message: string): Answer {
  return bitbucketError(403, message);
}
