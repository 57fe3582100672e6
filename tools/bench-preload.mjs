// Loaded into a measured process with --import: writes its peak memory, its processor time and the files that it loaded to
// $BENCH_FOOTPRINT_FILE.
import { readFileSync, writeFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

const { BENCH_FOOTPRINT_FILE: file } = process.env;
const loaded = [];
registerHooks({
  load: (url, context, next) => {
    loaded.push(url);
    return next(url, context);
  },
});
if (file !== undefined) {
  process.once('exit', () => writeFileSync(file, JSON.stringify({ peakKib: peakKib(), cpuUs: cpuUs(), loaded })));
}

function cpuUs() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** On Linux, what getrusage says starts with the memory of the process that made this one. */
function peakKib() {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS;
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
}
