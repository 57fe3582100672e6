import { onTestFinished } from 'vitest';
import { type PrefectOptions, type PrefectSimulator, prefectSimulator } from '../simulators/prefect.ts';
import { PREFECT, prefectTenant } from '../simulators/prefect-tenant.ts';
import { serve } from '../simulators/serve.ts';

export { PREFECT } from '../simulators/prefect-tenant.ts';

/** A token that the proxy in front of `PREFECT.iapHost` takes. */
export const GOOD_ID_TOKEN = 'header.payload.good';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: Record<string, unknown>;
}

export interface Ask {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface PrefectWorld extends PrefectSimulator {
  /** Asks by a host's real URL, over HTTP, and follows no redirect. */
  readonly ask: (url: string, ask?: Ask) => Promise<Answer>;
  /** Asks the company's Cloud workspace with the key of CI. */
  readonly api: (path: string, body?: unknown, method?: string) => Promise<Answer>;
  /** Creates a run of `prod` and gives its id. */
  readonly start: (body?: Readonly<Record<string, unknown>>, deploymentId?: string) => Promise<string>;
  readonly state: (id: string) => Promise<string>;
  readonly cancel: (id: string) => Promise<Answer>;
  readonly pass: (ms: number) => void;
}

/** The company's Prefect on a clock that only the test moves. */
export async function prefectWorld(options: Partial<PrefectOptions> = {}): Promise<PrefectWorld> {
  let clock = Date.parse('2026-11-21T10:00:00Z');
  const simulator = prefectSimulator({
    ...prefectTenant(),
    now: () => clock,
    verifyIdToken: async (token, audience) => token === GOOD_ID_TOKEN && audience === PREFECT.iapAudience,
    ...options,
  });
  const server = await serve(async (request) => {
    const url = new URL(request.url);
    const [, host = '', ...path] = url.pathname.split('/');
    const handle = simulator.hosts(host);
    if (handle === undefined) return new Response('no such host', { status: 421 });
    return handle(new Request(new URL(`/${path.join('/')}${url.search}`, url), request));
  });
  onTestFinished(() => server.close());

  const ask: PrefectWorld['ask'] = async (url, { method, body, headers } = {}) => {
    const raw = typeof body === 'string';
    const response = await fetch(url.replace('https:/', server.url), {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: { ...(raw ? {} : { 'content-type': 'application/json' }), ...headers },
      redirect: 'manual',
      ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type') === 'application/json';
    const json = (isJson ? JSON.parse(text) : {}) as Record<string, unknown>;
    return { status: response.status, headers: response.headers, text, json };
  };
  const api: PrefectWorld['api'] = (path, body, method) =>
    ask(`${PREFECT.cloudApi}${path}`, {
      headers: { authorization: `Bearer ${PREFECT.keys.service}` },
      ...(body === undefined ? {} : { body }),
      ...(method === undefined ? {} : { method }),
    });

  return {
    ...simulator,
    ask,
    api,
    start: async (body = {}, deploymentId = PREFECT.deployments.prod.id) => {
      const created = await api(`/deployments/${deploymentId}/create_flow_run`, { parameters: { epochs: 3 }, ...body });
      return String(created.json.id);
    },
    state: async (id) => {
      const { json } = await api(`/flow_runs/${id}`);
      return `${json.state_type}/${json.state_name}`;
    },
    cancel: (id) => api(`/flow_runs/${id}/set_state`, { state: { type: 'CANCELLING', name: 'Cancelling' } }),
    pass: (ms) => {
      clock += ms;
    },
  };
}
