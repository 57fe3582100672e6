import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A simulator: a pure function over Fetch API messages, usable in one process or served on a port. */
export type Handler = (request: Request) => Promise<Response>;

/** What can go wrong with one request. Only the kinds named "after" and "late", and `truncated`, let the service process it first. */
export type FaultKind =
  | 'drop-before'
  | 'drop-after'
  | 'status-429'
  | 'status-500'
  | 'status-502-html'
  | 'status-503'
  | 'status-502-after'
  | 'status-504-after'
  | 'late'
  | 'truncated'
  | 'switching-protocols'
  | 'answer';

export const FAULT_KINDS: readonly FaultKind[] = [
  'drop-before',
  'drop-after',
  'status-429',
  'status-500',
  'status-502-html',
  'status-503',
  'status-502-after',
  'status-504-after',
  'late',
  'truncated',
];

/** A scripted fault: strikes the next `times` requests whose method and URL path match. */
export interface Fault {
  readonly kind: FaultKind;
  readonly method?: string;
  readonly path: RegExp;
  readonly times: number;
  /** Seconds sent as Retry-After with `status-429`; milliseconds by which a `late` answer is held back. */
  readonly retryAfterSeconds?: number;
  readonly lateMs?: number;
  /** What `answer` answers with, unprocessed. */
  readonly answer?: { readonly status: number; readonly type: string; readonly text: string };
}

export interface ServeOptions {
  readonly port?: number;
  /** Called with every request as it arrives, before any fault. */
  readonly onRequest?: (request: Request) => void;
  /** Called when an answer has been handed to the network, whatever its status. */
  readonly onAnswer?: (request: Request, status: number) => void;
  /** Milliseconds added before an answer, to stand for a network round trip. */
  readonly delayMs?: (request: Request) => number;
  /** Asked once for each request; the returned fault strikes it. */
  readonly nextFault?: (method: string, path: string) => Fault | undefined;
}

export interface Served {
  /** `http://127.0.0.1:PORT`, without a trailing slash. */
  readonly url: string;
  readonly close: () => Promise<void>;
}

/** A list of faults that wear out: give its `next` to `serve` as `nextFault`. */
export function scriptedFaults(): { add(fault: Fault): void; next(method: string, path: string): Fault | undefined } {
  const pending: { fault: Fault; left: number }[] = [];
  return {
    add: (fault) => {
      pending.push({ fault, left: fault.times });
    },
    next: (method, path) => {
      const entry = pending.find(
        ({ fault, left }) => left > 0 && fault.path.test(path) && (fault.method ?? method) === method,
      );
      if (entry === undefined) return undefined;
      entry.left -= 1;
      return entry.fault;
    },
  };
}

/** Serves a simulator over real HTTP on the loopback interface (port 0: any free port). */
export async function serve(handler: Handler, options: ServeOptions = {}): Promise<Served> {
  const server = createServer((incoming, outgoing) => {
    answer(handler, options, incoming, outgoing).catch((error: unknown) => {
      if (outgoing.headersSent) outgoing.destroy();
      else outgoing.writeHead(500, { 'content-type': 'text/plain' }).end(`simulator failed: ${String(error)}`);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function answer(
  handler: Handler,
  options: ServeOptions,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const request = await toRequest(incoming);
  options.onRequest?.(request);
  outgoing.once('finish', () => options.onAnswer?.(request, outgoing.statusCode));
  const delay = options.delayMs?.(request) ?? 0;
  if (delay > 0) await sleep(delay);
  const fault = options.nextFault?.(request.method, new URL(request.url).pathname);
  if (fault === undefined) return send(await handler(request), outgoing);

  switch (fault.kind) {
    case 'drop-before':
      incoming.socket.destroy();
      return;
    case 'drop-after':
      await handler(request);
      incoming.socket.destroy();
      return;
    case 'switching-protocols':
      incoming.socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      return;
    case 'status-429':
      outgoing
        .writeHead(429, { 'content-type': 'application/json', 'retry-after': String(fault.retryAfterSeconds ?? 1) })
        .end('{"error":{"code":429,"message":"Too many requests.","status":"RESOURCE_EXHAUSTED"}}');
      return;
    case 'status-500':
      outgoing
        .writeHead(500, { 'content-type': 'application/json' })
        .end('{"error":{"code":500,"message":"Internal"}}');
      return;
    case 'status-502-html':
      badGateway(outgoing);
      return;
    case 'status-502-after':
      await handler(request);
      badGateway(outgoing);
      return;
    case 'status-504-after':
      await handler(request);
      outgoing.writeHead(504, { 'content-type': 'text/plain' }).end('upstream request timeout');
      return;
    case 'status-503':
      outgoing.writeHead(503, { 'content-type': 'text/plain' }).end('upstream connect error');
      return;
    case 'late': {
      const response = await handler(request);
      await sleep(fault.lateMs ?? 1000);
      return send(response, outgoing);
    }
    case 'answer': {
      const { status, type, text } = fault.answer ?? { status: 401, type: 'application/json', text: '{}' };
      outgoing.writeHead(status, { 'content-type': type }).end(text);
      return;
    }
    case 'truncated': {
      const response = await handler(request);
      const body = Buffer.from(await response.arrayBuffer());
      outgoing
        .writeHead(response.status, { 'content-type': response.headers.get('content-type') ?? 'application/json' })
        .end(body.subarray(0, Math.floor(body.length / 2)));
      return;
    }
  }
}

function badGateway(outgoing: ServerResponse): void {
  outgoing
    .writeHead(502, { 'content-type': 'text/html' })
    .end('<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>');
}

async function toRequest(incoming: IncomingMessage): Promise<Request> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  const method = incoming.method ?? 'GET';
  const body = Buffer.concat(chunks);
  // A forward proxy is asked in absolute form: the request line already holds the whole URL.
  const target = incoming.url ?? '/';
  const url = target.startsWith('http://') ? target : `http://${incoming.headers.host ?? '127.0.0.1'}${target}`;
  return new Request(url, { method, headers, ...(method === 'GET' || method === 'HEAD' ? {} : { body }) });
}

async function send(response: Response, outgoing: ServerResponse): Promise<void> {
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.end(Buffer.from(await response.arrayBuffer()));
}
