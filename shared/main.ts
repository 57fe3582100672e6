import { network } from './edge/network.ts';
import { abortOnSignals, describeFault, silenceLibraries, systemClock } from './edge/node.ts';
import { EXIT, exitCodeOf, SubmitError } from './errors.ts';
import { explainToUser } from './host/explain-to-user.ts';
import { createHttp, HTTP_TIMINGS } from './http/http.ts';
import { type RunEnvironment, run } from './run/run.ts';
import { JOB_KINDS, KIND_SETTINGS } from './services/index.ts';

/** What one CI brings to a step. */
export type Ci = Pick<RunEnvironment, 'host' | 'hostSettings' | 'protectedVariables' | 'files' | 'signal'>;

/**
 * Runs a step of a CI on this machine, after the warnings of the network and those given.
 * @throws SubmitError `invalid-settings` as `network` does.
 */
export async function runStep(ci: Ci, ...warnings: readonly string[]): Promise<number> {
  const { environment, networkWarnings } = stepEnvironment(ci);
  for (const warning of [...networkWarnings, ...warnings]) ci.host.log.warning(warning);
  return run(environment);
}

/**
 * Everything that a step touches: what its CI brings, this machine's network and clock, and the kinds of job.
 * @throws SubmitError `invalid-settings` as `network` does.
 */
export function stepEnvironment(ci: Ci): {
  readonly environment: RunEnvironment;
  readonly networkWarnings: readonly string[];
} {
  const { env } = process;
  const { transport, warnings } = network(env);
  const environment = {
    ...ci,
    env,
    kinds: JOB_KINDS,
    kindSettings: KIND_SETTINGS,
    http: createHttp(transport, systemClock, HTTP_TIMINGS),
    clock: systemClock,
  };
  return { environment, networkWarnings: warnings };
}

/** When a step that was cancelled ends by force, in ms after the signal: before the CI kills it without a word. */
const FORCED_END_MS = 8_500;

/**
 * Runs a packaging's `main` and ends the process with the exit code that it resolves to. Anything else that ends the process
 * is a fault and never a success: an error, an event loop that ran empty, a library that exits.
 * @param main gets the signal that aborts when the CI cancels the step
 * @param heading what makes the CI's log show the message that follows
 */
export function runMain(main: (signal: AbortSignal) => Promise<number>, heading = ''): void {
  let result: number | undefined;
  const say = (lines: readonly string[]) => process.stdout.write(`\n${heading}✖ ${lines.join('\n  ')}\n`);
  const end = (code: number): never => {
    result = code;
    process.exit(code);
  };
  const stop = (error: unknown): never => {
    if (error instanceof SubmitError) {
      explainToUser(error, { log: plainLog(heading), spell: (setting) => setting });
      return end(error.exitCode);
    }
    process.stdout.write(
      `\n${heading}✖ keyless-submit stopped by a fault of its own; please report it:\n${describeFault(error)}\n`,
    );
    return end(EXIT.fault);
  };
  const signal = abortOnSignals(process);

  process.exitCode = EXIT.fault;
  process.on('exit', () => {
    if (result !== undefined) return;
    process.exitCode = signal.aborted ? exitCodeOf(signal) : EXIT.fault;
    say([
      'keyless-submit ended without a result: something that it waited for never came; please report it',
      ...IF_SUBMITTED,
    ]);
  });
  signal.addEventListener('abort', () => {
    const force = () => {
      say([`The step was cancelled (${String(signal.reason)}) and could not end in time`, ...IF_SUBMITTED]);
      end(exitCodeOf(signal));
    };
    setTimeout(force, FORCED_END_MS).unref();
  });
  // A log whose reader is gone must not keep the job from being cancelled.
  process.stdout.on('error', () => undefined);
  process.on('uncaughtException', stop);
  process.on('unhandledRejection', stop);
  silenceLibraries(process.env);
  main(signal).then(end, stop);
}

/** What can be printed before there is a host, or without one. */
function plainLog(heading: string) {
  const line = (text: string) => void process.stdout.write(`${text}\n`);
  return {
    section: () => line(`\n${heading}`.trimEnd()),
    error: (text: string) => line(`✖ ${text}`),
    info: (text: string) => line(`  ${text}`),
    remote: (lines: readonly string[]) => lines.forEach((each) => void line(`  │ ${each}`)),
    link: (address: string) => address,
  };
}

const IF_SUBMITTED = [
  'If a job was submitted, it may still be running: look for it at the service, and cancel it there if it is not wanted.',
  'A retry of the step finds a job that is still running and does not submit it twice.',
];
