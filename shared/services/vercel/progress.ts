import type { Clock } from '../../clock.ts';
import type { Log } from '../../host/host.ts';

/** How much of something there is. */
export interface Amount {
  readonly files: number;
  readonly bytes: number;
}

const EVERY_MS = 10_000;

/** The number and the size of a list of files. */
export function amountOf(list: readonly { readonly bytes: number }[]): Amount {
  return { files: list.length, bytes: list.reduce((sum, { bytes }) => sum + bytes, 0) };
}

const KIB = 1024;

/** `12 files, 3.4 MiB` */
export function describeAmount({ files, bytes }: Amount): string {
  const size = bytes < KIB * KIB ? `${Math.ceil(bytes / KIB)} KiB` : `${(bytes / KIB / KIB).toFixed(1)} MiB`;
  return `${files} ${files === 1 ? 'file' : 'files'}, ${size}`;
}

/** Prints now and then how far it is; what is quickly done prints nothing. */
export function progress(done: string, total: Amount, clock: Clock, log: Log): (more: Amount) => void {
  let lastPrint = clock.now();
  let files = 0;
  let bytes = 0;
  return (more) => {
    files += more.files;
    bytes += more.bytes;
    const now = clock.now();
    if (now - lastPrint < EVERY_MS || files === total.files) return;
    lastPrint = now;
    log.info(`${done} ${describeAmount({ files, bytes })} of ${describeAmount(total)}`);
  };
}
