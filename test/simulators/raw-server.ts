import { type AddressInfo, createServer, type Socket } from 'node:net';

/** A server of bare connections on loopback, for what no HTTP server does. */
export interface RawServer extends AsyncDisposable {
  readonly port: number;
  /** What came first on each connection, as text. */
  readonly received: readonly string[];
  /** How many connections are open now. */
  open(): number;
}

/** Calls `answer` with each connection and the first that came on it. */
export async function rawServer(answer: (socket: Socket, first: string) => void): Promise<RawServer> {
  const sockets = new Set<Socket>();
  const received: string[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // The other side may leave at any time.
    socket.on('error', () => undefined);
    socket.once('data', (chunk) => {
      const first = chunk.toString('latin1');
      received.push(first);
      answer(socket, first);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    received,
    open: () => sockets.size,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
