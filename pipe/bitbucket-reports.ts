import type { Report } from '../shared/host/report.ts';
import { isSuccess } from '../shared/http/http.ts';
import { urlPart } from '../shared/http/url-part.ts';
import { plainLine, plainText } from '../shared/remote-text.ts';
import type { Env } from './bitbucket-settings.ts';

const MOST_FACTS = 10;
const PROXY_PORT = 29_418;
const TIMEOUT_MS = 5_000;

/** The body of a Code Insights report. https://developer.atlassian.com/cloud/bitbucket/rest/api-group-reports/ */
export function reportBody(report: Report, reporter: string, id: string): Record<string, unknown> {
  const link = report.url !== undefined && /^https:\/\//.test(report.url) ? { link: report.url } : {};
  const remote = (report.remote ?? []).map((text) => plainText(text)).join('\n');
  return {
    external_id: id,
    title: plainLine(report.title, 200),
    details: plainText(`${report.summary}${remote === '' ? '' : `\n\n${remote}`}`).slice(0, 1_900),
    report_type: 'TEST',
    reporter,
    result: report.state.toUpperCase(),
    ...link,
    data: report.facts
      .slice(0, MOST_FACTS)
      .map(({ label, value }) => ({ title: plainLine(label, 60), type: 'TEXT', value: plainLine(value, 250) || '-' })),
  };
}

/**
 * Creates or replaces a report.
 * @throws Error with what came instead, in plain words.
 */
export async function putReport(env: Env, id: string, body: Record<string, unknown>): Promise<void> {
  await requestReport(env, 'PUT', id, JSON.stringify(body), []);
}

/**
 * Removes a report, if there is one.
 * @throws Error with what came instead, in plain words.
 */
export async function deleteReport(env: Env, id: string): Promise<void> {
  await requestReport(env, 'DELETE', id, '', [404]);
}

/**
 * A request to the proxy that Bitbucket runs next to each step, which adds the credentials. It expects the absolute http address on
 * the request line, which `fetch` cannot write.
 */
async function requestReport(
  env: Env,
  method: 'PUT' | 'DELETE',
  id: string,
  text: string,
  accepted: readonly number[],
): Promise<void> {
  const { BITBUCKET_WORKSPACE: workspace, BITBUCKET_REPO_SLUG: repository, BITBUCKET_COMMIT: commit } = env;
  if (workspace === undefined || repository === undefined || commit === undefined) {
    throw new Error(
      'BITBUCKET_WORKSPACE, BITBUCKET_REPO_SLUG and BITBUCKET_COMMIT say where a report goes, and one is not set',
    );
  }
  const path = [workspace, repository, 'commit', commit, 'reports', id].map(urlPart).join('/');
  const address = `http://api.bitbucket.org/2.0/repositories/${path}`;
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  return new Promise((resolve, reject) => {
    // Not imported: an import reads all names of the module, and some of them load the whole of fetch.
    const outgoing = process.getBuiltinModule('node:http').request(
      {
        ...proxyAddress(env),
        // An agent of its own, since Node's may send the request to HTTP_PROXY.
        agent: false,
        method,
        path: address,
        signal: limit,
        headers: {
          host: 'api.bitbucket.org',
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(text),
        },
      },
      (incoming) => {
        let received = '';
        incoming.setEncoding('utf8');
        incoming.on('data', (chunk: string) => {
          received = (received + chunk).slice(0, 2_000);
        });
        incoming.on('end', () => {
          const { statusCode: status = 0 } = incoming;
          if (isSuccess({ status }) || accepted.includes(status)) resolve();
          else reject(new Error(`Bitbucket answered ${status}: ${plainLine(received, 200)}`));
        });
        incoming.on('error', fail);
      },
    );
    const fail = ({ message }: Error) => {
      const why = limit.aborted ? `no answer within ${TIMEOUT_MS / 1000} s` : message;
      reject(new Error(`Bitbucket's proxy for reports cannot be used: ${why}`));
    };
    outgoing.on('error', fail);
    outgoing.on('upgrade', ({ statusCode }, socket) => {
      socket.destroy();
      fail(new Error(`it answered ${statusCode}, a switch of protocols that was not requested`));
    });
    outgoing.on('close', () => fail(new Error('the connection was closed before the whole answer came')));
    outgoing.end(text);
  });
}

/** The proxy on the machine that the step's services run on, which the Docker address names; with simulators, theirs. */
export function proxyAddress(env: Env): { readonly host: string; readonly port: number } {
  const simulators = URL.parse(env.KEYLESS_SUBMIT_SIMULATORS ?? '');
  if (simulators !== null) return { host: socketHost(simulators), port: Number(simulators.port) };
  const docker = URL.parse(env.DOCKER_HOST ?? '');
  return {
    host: docker === null || docker.hostname === '' ? 'host.docker.internal' : socketHost(docker),
    port: PROXY_PORT,
  };
}

/** A host as sockets want it: IPv6 addresses without the brackets of a URL. */
function socketHost({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}
