import { createServer } from 'node:https';
import type { Certificate } from './certificates.ts';
import { type RawServer, rawServer } from './raw-server.ts';

/**
 * An HTTP proxy that decrypts what goes through it, as companies have them: `https://HOST/PATH` is passed on to
 * `ORIGIN/HOST/PATH`, under the proxy's own certificate. `admits` may answer a CONNECT itself instead.
 */
export async function inspectingProxy(
  origin: string,
  certificate: Certificate,
  admits: (connect: string) => string | undefined = () => undefined,
): Promise<RawServer> {
  const inside = createServer(certificate, async (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const { method = 'GET', url = '/' } = incoming;
    const { host = '', connection: _connection, 'content-length': _length, ...headers } = incoming.headers;
    const response = await fetch(`${origin}/${host}${url}`, {
      method,
      redirect: 'manual',
      headers: Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]),
      ...(method === 'GET' || method === 'HEAD' ? {} : { body: Buffer.concat(chunks) }),
    });
    const kept = [...response.headers].filter(([name]) => !/^(?:connection|keep-alive|transfer-encoding)$/.test(name));
    outgoing.writeHead(response.status, Object.fromEntries(kept)).end(Buffer.from(await response.arrayBuffer()));
  });
  return rawServer((socket, first) => {
    const refusal = admits(first);
    if (refusal !== undefined) {
      socket.end(refusal);
      return;
    }
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    inside.emit('connection', socket);
  });
}
