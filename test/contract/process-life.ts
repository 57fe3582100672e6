import type { Transport } from '../../shared/http/http.ts';
import type { Target } from './kind-samples.ts';

/** What a shell gives as the exit code of a process that was killed with SIGKILL. */
export const KILLED = 137;

/** The life of a step's process, as far as others notice it: once it is killed, nothing of it goes on. */
export interface ProcessLife {
  readonly killed: Promise<typeof KILLED>;
  whileAlive<T>(action: () => Promise<T>): Promise<T>;
  transport(inner: Transport): Transport;
}

/** A process that is killed when the service has processed a request to `target`, before the response is read. */
export function processLife(target: Target | undefined): ProcessLife {
  const { promise: killed, resolve: kill } = Promise.withResolvers<typeof KILLED>();
  let isAlive = true;
  let toSkip = target?.skip ?? 0;
  const never = <T>() => new Promise<T>(() => undefined);
  const whileAlive = async <T>(action: () => Promise<T>): Promise<T> => {
    if (!isAlive) return never();
    const result = await action();
    return isAlive ? result : never();
  };
  const isLast = (url: string, method: string): boolean => {
    const { pathname, host, protocol } = new URL(url);
    const path = protocol === 'https:' ? `/${host}${pathname}` : pathname;
    if (target === undefined || method !== target.method || !target.path.test(path)) return false;
    toSkip -= 1;
    return toSkip < 0;
  };
  return {
    killed,
    whileAlive,
    transport: (inner) => (url, request) =>
      whileAlive(async () => {
        const response = await inner(url, request);
        if (isLast(url, request.method)) {
          isAlive = false;
          kill(KILLED);
        }
        return response;
      }),
  };
}
