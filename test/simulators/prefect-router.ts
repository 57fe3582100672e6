import { isJsonObject, type JsonObject } from './json-object.ts';
import { detail, invalidRequest } from './prefect-errors.ts';
import { type Shape, violation } from './prefect-shapes.ts';

/** A request that reached its route and fits its shape. */
export interface Call {
  /** The variable parts of the path, decoded. */
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
  readonly body: JsonObject;
  readonly bodyText: string;
  readonly headers: Headers;
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'PATCH';
  /** `{id}` stands for a UUID, `{name}` for any one segment. */
  readonly path: string;
  /** The body's shape, whether it must be there at all, has pages, and is put together from separate parts. */
  readonly body?: { readonly shape: Shape; readonly required: boolean; readonly paged?: true; readonly parts?: true };
  /** The one route that is asked for the API version does not look at the caller's. */
  readonly anyVersion?: true;
  readonly handle: (call: Call) => Response | Promise<Response>;
}

const MINIMUM_VERSION = [0, 8, 0] as const;
const MAX_LIMIT = 200;
const UUID = '([0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12})';

/** Finds the route of a path below the API's base and answers by it; a path that only lacks or has a last slash is redirected. */
export async function routed(
  routes: readonly Route[],
  path: string,
  request: Request,
  base: string,
): Promise<Response> {
  const here = matches(routes, path);
  if (here.length === 0) {
    const other = path.endsWith('/') ? path.slice(0, -1) : `${path}/`;
    if (matches(routes, other).length === 0) return detail(404, 'Not Found');
    const { search } = new URL(request.url);
    return new Response(null, { status: 307, headers: { location: `${base}${encodeURI(other)}${search}` } });
  }
  const match = here.find(({ route }) => route.method === request.method);
  if (match === undefined) {
    const allow = here.map(({ route }) => route.method).join(', ');
    return Response.json({ detail: 'Method Not Allowed' }, { status: 405, headers: { allow } });
  }
  const { route, segments } = match;
  const bodyText = await request.text();
  const body = jsonOf(bodyText, request.headers.get('content-type'));
  if (body instanceof Response) return body;
  const tooOld = route.anyVersion ? undefined : versionRefusal(request.headers.get('x-prefect-api-version'));
  if (tooOld !== undefined) return tooOld;
  const refused = route.body === undefined ? undefined : bodyRefusal(body, route.body);
  if (refused !== undefined) return refused;
  return route.handle({
    segments,
    query: new URL(request.url).searchParams,
    body: isJsonObject(body) ? body : {},
    bodyText,
    headers: request.headers,
  });
}

/** The page that a `/filter` body asks for. */
export function page<Row>(rows: readonly Row[], body: JsonObject): readonly Row[] {
  const offset = Number(body.offset ?? 0);
  return rows.slice(offset, offset + Number(body.limit ?? MAX_LIMIT));
}

function matches(routes: readonly Route[], path: string): readonly { route: Route; segments: readonly string[] }[] {
  return routes.flatMap((route) => {
    const pattern = route.path.replaceAll('{id}', UUID).replaceAll('{name}', '([^/]+)');
    const found = new RegExp(`^${pattern}$`).exec(path);
    return found === null ? [] : [{ route, segments: found.slice(1) }];
  });
}

/** The parsed body; undefined where there is none, the text itself where it is not sent as JSON. */
function jsonOf(text: string, contentType: string | null): unknown {
  if (text === '') return undefined;
  if (contentType !== null && !/^application\/(json|[^;]*\+json)\b/i.test(contentType)) return text;
  try {
    return JSON.parse(text);
  } catch (error) {
    const at = Number(/position (\d+)/.exec(String(error))?.[1] ?? text.length);
    const ctx = { error: 'Expecting value' };
    return invalidRequest(violation('json_invalid', ['body', at], 'JSON decode error', {}, ctx), text);
  }
}

function versionRefusal(version: string | null): Response | undefined {
  if (version === null || version === '') return undefined;
  const parts = /^\s*(\d+)\s*\.\s*(\d+)\s*\.\s*(\d+)\s*$/.exec(version)?.slice(1).map(Number);
  if (parts === undefined) {
    return detail(
      400,
      `Invalid X-PREFECT-API-VERSION header format.Expected header in format 'x.y.z' but received ${version}`,
    );
  }
  const difference = MINIMUM_VERSION.map((least, index) => (parts[index] ?? 0) - least).find((step) => step !== 0) ?? 0;
  if (difference >= 0) return undefined;
  return detail(
    400,
    `The request specified API version ${version} but this server requires version ${MINIMUM_VERSION.join('.')} or higher.`,
  );
}

function bodyRefusal(
  body: unknown,
  { shape, required, paged, parts }: NonNullable<Route['body']>,
): Response | undefined {
  if (body === undefined) {
    if (!required) return undefined;
    return invalidRequest(violation('missing', ['body'], 'Field required', null), null);
  }
  const limit = paged && isJsonObject(body) ? body.limit : undefined;
  if (typeof limit === 'number' && Number.isInteger(limit)) {
    if (limit < 0) return detail(422, 'Invalid limit: must be greater than or equal to 0.');
    if (limit > MAX_LIMIT) return detail(422, `Invalid limit: must be less than or equal to ${MAX_LIMIT}.`);
  }
  const violations = shape(body, ['body']).map((each) =>
    parts && each.type === 'missing' && each.loc.length === 2 ? { ...each, input: null } : each,
  );
  return violations.length === 0 ? undefined : invalidRequest(violations, body);
}
