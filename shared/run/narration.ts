import { formatDuration } from '../clock.ts';
import { EXIT, SubmitError } from '../errors.ts';
import type { Host, Outputs } from '../host/host.ts';
import type { Report, ReportFact } from '../host/report.ts';
import { defined } from '../json.ts';
import type { RunStatus } from '../kind.ts';
import { plainLine } from '../remote-text.ts';
import type { BoundRun } from './bind.ts';
import type { Delivered } from './deliver/delivery-environment.ts';

/** How a wait ended, as report and outputs tell it. */
interface End {
  /** The last that was seen of the run. */
  readonly status: RunStatus | undefined;
  readonly result: RunStatus['phase'] | 'unfinished';
  readonly summary: string;
  readonly outputs: Outputs | undefined;
  /** Rows of the report after those that every report has. */
  readonly facts: readonly ReportFact[];
  readonly remote: readonly string[] | undefined;
  /** Whether nothing is left for a second chance to cancel. */
  readonly forget: boolean;
  /** Aborts when the telling may hold up the step no longer. */
  readonly limit: AbortSignal;
}

export type Narration = ReturnType<typeof createNarration>;

/**
 * What the user is told of one submitted job besides its states: log, report and outputs. Reporting never fails the step.
 * `firstKey` is what stood for the job's key before it was prepared.
 */
export function createNarration(
  bound: BoundRun,
  host: Host,
  { id, attempt, origin, run }: Delivered,
  { key, firstKey }: { readonly key: string; readonly firstKey: string },
) {
  const { kind, plan, values } = bound;
  const { log, context } = host;
  const { cancellation } = run;
  const startUrl = run.url(id);
  const baseOutputs: Outputs = {
    kind: kind.id,
    id,
    ...defined({ url: startUrl, 'submission-key': plan.does === 'attach' ? undefined : key }),
    attempt: String(attempt),
    commit: context.commit,
  };
  /** Lines on how a later step waits for the job, and how it is cancelled by hand. */
  const followUp = [
    ...(run.readReference(id) === undefined ? [] : [`To wait for it in a later step: ${host.spell('attach')}: ${id}`]),
    ...(cancellation === undefined ? [] : [`To cancel it: ${cancellation.command(id)}`]),
  ];

  const warned = new Set<string>();
  const warn = (what: string) => (error: unknown) => {
    if (!warned.has(what)) log.warning(`${what} failed; the job is not affected: ${wordsOfFault(error)}`);
    warned.add(what);
  };
  let told: Promise<unknown> = Promise.resolve();
  /** One after the other, so that an earlier word never overwrites a later one. */
  const tell = (what: string, effect: () => Promise<unknown>): void => {
    told = told.then(effect).catch(warn(what));
  };
  let latest: Report | undefined;
  /** A report that was not told yet gives way to a newer one. */
  const tellReport = (report: Pick<Report, 'state' | 'summary'> & Partial<Report>, url: string | undefined): void => {
    const whole = { ...reportHead(bound, host), ...report, ...defined({ url }) };
    latest = whole;
    tell('The report', async () => {
      if (latest === whole) await host.report(whole, key);
    });
  };
  const publishFinal = (outputs: Outputs): void =>
    tell('Publishing the outputs', async () => {
      for (const place of await host.publish(outputs, 'final', key)) log.info(`outputs: ${place}`);
    });
  const forget = () => host.forget().catch(warn('Forgetting the job'));

  let shownUrl: string | undefined;
  const showUrl = (url: string | undefined): void => {
    if (url !== undefined && url !== shownUrl) log.info(log.link(url));
    shownUrl = url ?? shownUrl;
  };

  /** Jobs of a matrix that submit the identical request at the same moment only see each other afterwards. */
  const lookForTwin = async (): Promise<void> => {
    const twin = await host.previousOutputs(key);
    // An earlier run of this step published an earlier attempt.
    if (twin?.attempt !== String(attempt)) return;
    log.warning(
      twin.id === id
        ? `Another job of this build submitted the identical request: both wait for the same run ${id}`
        : `Another job of this build submitted the identical request at the same time: its run is ${plainLine(twin.id ?? '', 200)}`,
    );
    log.info(`To submit a separate run on purpose, give each job a different ${host.spell('instance')}.`);
  };

  return {
    followUp,
    submitted: async (): Promise<void> => {
      const isOwn = origin === 'created';
      const isChange = plan.does === 'change';
      const which = `${id}${attempt > 1 ? ` (attempt ${attempt})` : ''}`;
      if (isOwn) log.success(`Submitted ${which}`);
      else if (!isChange) log.info(`Attaching to ${which}`);
      log.debug(`submission key ${key}`);
      showUrl(startUrl);
      // Before anything else: from now on a killed step must be able to cancel its job.
      if (values.wait && cancellation !== undefined)
        await host.remember({ kind: kind.id, id }).catch(warn('Keeping the job for a later cancel'));
      else await forget();
      // A report of an earlier run that failed before its key was known would otherwise stay there.
      if (firstKey !== key && context.attempt > 1)
        tell('Removing the former report', () => host.removeReport(firstKey));
      if (isOwn && !isChange) tell('Reading the outputs', lookForTwin);
      if (values.wait)
        tell('Publishing the outputs', () => host.publish({ ...baseOutputs, result: 'submitted' }, 'interim', key));
      tellReport({ state: 'pending', summary: `submitted as ${id}` }, startUrl);
    },
    /** The end of a step that does not wait, with what it last saw of the run. Returns the exit code. */
    left: async (seen: RunStatus | undefined): Promise<number> => {
      const url = seen?.url ?? startUrl;
      showUrl(url);
      for (const [name, value] of Object.entries(seen?.outputs ?? {})) log.info(`${name}: ${plainLine(value, 300)}`);
      if (url !== startUrl) tellReport({ state: 'pending', summary: `submitted as ${id}` }, url);
      publishFinal({ ...baseOutputs, ...seen?.outputs, ...defined({ url }), result: 'submitted' });
      if (run.complete !== undefined)
        log.info('What is done and checked at the end is left to the step that attaches: give it the same settings.');
      for (const line of followUp) log.info(line);
      await told;
      log.section('result', 'Result');
      log.success('The job is submitted; this step does not wait for it');
      return EXIT.done;
    },
    /** Announces the wait, and at once what will cut it short. Times are in ms since the epoch. */
    waiting: (now: number, deadline: number, credentialEnd: number | undefined): void => {
      log.section('wait', 'Wait for the job');
      if (credentialEnd !== undefined && credentialEnd < deadline) {
        log.warning(
          `This step can wait until about ${new Date(credentialEnd).toISOString().replace(/\.\d+/, '')} (${formatDuration(credentialEnd - now)} from now): the CI gives it one OIDC token, which cannot be renewed.`,
        );
        log.info(
          `If the job takes longer, this step ends with exit code ${EXIT.deadline} and the job keeps running; wait for it in a later step:`,
        );
        log.info(`  ${host.spell('attach')}: ${id}`);
      }
      if (!host.graceOnCancel && values['on-cancel'] === 'cancel' && cancellation !== undefined) {
        log.info('A step that is stopped gets no time to cancel its job here. To cancel it by hand:');
        log.info(`  ${cancellation.command(id)}`);
      }
    },
    phase: ({ phase, word, url }: RunStatus): void => {
      showUrl(url);
      tellReport({ state: 'pending', summary: plainLine(`${phase} (${word})`, 200) }, url ?? startUrl);
    },
    /** What to throw for an error that ended the watch: it says what became of the job, too. */
    lost: async (error: unknown): Promise<unknown> => {
      await forget();
      if (error instanceof SubmitError) tellReport(failureSummary(error), shownUrl);
      await told;
      if (!(error instanceof SubmitError) || error.code === 'not-found') return error;
      const { remedy, ...explanation } = error.explanation;
      return new SubmitError(error.code, {
        ...explanation,
        remedy: [...remedy, `The job ${id} is not affected and keeps running.`, ...followUp],
      });
    },
    /** Tells the report and hands out the outputs, then waits until everything was told, but not beyond the limit. */
    ended: async ({ status, result, summary, outputs, facts, remote, ...end }: End): Promise<void> => {
      if (end.forget) await forget();
      const url = status?.url ?? outputs?.url ?? startUrl;
      publishFinal({
        ...baseOutputs,
        ...outputs,
        result,
        ...defined({ state: status?.word, failure: status?.failure?.cause, url }),
      });
      const state = result === 'succeeded' ? 'passed' : 'failed';
      const rows = [...reportHead(bound, host).facts, ...facts];
      tellReport({ state, summary, facts: rows, ...defined({ remote }) }, url);
      const ended = new Promise((resolve) => end.limit.addEventListener('abort', resolve, { once: true }));
      if (!end.limit.aborted) await Promise.race([told, ended]);
    },
  };
}

/** What every report on a run has. */
export function reportHead({ kind, plan }: BoundRun, { context }: Host): Pick<Report, 'title' | 'facts'> {
  return {
    title: `${kind.title}: ${plan.title}`,
    facts: [
      { label: 'Commit', value: context.commit },
      { label: 'Identity', value: plan.access.identity },
    ],
  };
}

/** An error that ended the step, as its report tells it. */
export function failureSummary({ code, message }: SubmitError): Pick<Report, 'state' | 'summary'> {
  return { state: 'failed', summary: `${code}: ${message}` };
}

/** What can be said of a fault that only gets a warning. */
export function wordsOfFault(error: unknown): string {
  return plainLine(error instanceof Error ? error.message : 'unknown fault', 300);
}
