import { isLoopback } from '../../http/http.ts';
import { withoutTrailing } from '../../remote-text.ts';

/** Where a Prefect API is, and where its pages are. */
export interface PrefectServer {
  /** The API's address without a slash at the end: paths of the API follow it. */
  readonly base: string;
  readonly host: string;
  /** The workspace on Prefect Cloud; undefined for a server of one's own. */
  readonly workspace: { readonly id: string } | undefined;
  /** Where the pages are, without a slash at the end. */
  readonly ui: string;
}

/** Prefect Cloud's API, above all workspaces. */
export const CLOUD_API = 'https://api.prefect.cloud/api';
const CLOUD_HOSTS = new Set(['api.prefect.cloud', 'app.prefect.cloud']);
const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const CLOUD_PATH = new RegExp(`^/api/accounts/(${UUID})/workspaces/(${UUID})$`, 'i');
// What is copied from the browser, or mistyped as `PREFECT_API_URL`.
const NEAR_CLOUD_PATH = new RegExp(`/accounts?/(${UUID})/workspaces?/(${UUID})(?:/|$)`, 'i');
const CLOUD_SHAPE = `${CLOUD_API}/accounts/ACCOUNT-ID/workspaces/WORKSPACE-ID`;

/**
 * The server that an address means, as in `PREFECT_API_URL`; or what is wrong with it, with the spelling that would be right.
 * https://docs.prefect.io/v3/how-to-guides/cloud/connect-to-cloud
 */
export function readApiUrl(
  text: string,
  uiUrl: string | undefined,
): { readonly server: PrefectServer } | { readonly problem: string } {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) return { problem: 'expected an address with https://' };
  if (url.username !== '' || url.password !== '')
    return { problem: 'holds a user name or password; use auth-string for them' };
  if (url.search !== '' || url.hash !== '') return { problem: 'expected an address without ? and #' };
  if (url.protocol === 'http:' && !isLoopback(url.hostname))
    return { problem: 'only https is allowed, except for http on this machine itself' };
  const path = withoutTrailing(url.pathname, '/');
  return CLOUD_HOSTS.has(url.hostname) ? cloudServer(url, path, uiUrl) : ownServer(url, path, uiUrl);
}

function cloudServer(url: URL, path: string, uiUrl: string | undefined): ReturnType<typeof readApiUrl> {
  const [, account = '', id = ''] = CLOUD_PATH.exec(path) ?? [];
  if (url.host !== 'api.prefect.cloud' || url.protocol !== 'https:' || id === '') {
    const [, nearAccount, nearId] = NEAR_CLOUD_PATH.exec(path) ?? [];
    return {
      problem:
        nearId === undefined
          ? `expected ${CLOUD_SHAPE}`
          : `is not the address of the API; did you mean ${CLOUD_API}/accounts/${nearAccount}/workspaces/${nearId}?`,
    };
  }
  const server = {
    base: `${url.origin}${path}`,
    host: url.host,
    workspace: { id },
    ui: withoutSlash(uiUrl) ?? `https://app.prefect.cloud/account/${account}/workspace/${id}`,
  };
  return { server };
}

function ownServer(url: URL, path: string, uiUrl: string | undefined): ReturnType<typeof readApiUrl> {
  const root = /^(.*)\/api$/.exec(path)?.[1];
  if (root === undefined) {
    // Pages of the server's own interface, and what else follows the API's address.
    const [, before] = /^(.*?)\/(?:api|runs|flow-runs|deployments|dashboard|flows|work-pools|v2)(?:\/|$)/.exec(
      path,
    ) ?? ['', path];
    return { problem: `does not end in /api; did you mean ${url.origin}${before ?? ''}/api?` };
  }
  const ui = withoutSlash(uiUrl) ?? `${url.origin}${root}`;
  return { server: { base: `${url.origin}${path}`, host: url.host, workspace: undefined, ui } };
}

function withoutSlash(address: string | undefined): string | undefined {
  return address === undefined ? undefined : withoutTrailing(address, '/');
}
