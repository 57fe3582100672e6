import { formatDuration } from '../clock.ts';
import { EXIT, SubmitError } from '../errors.ts';
import type { Host, Outputs } from '../host/host.ts';
import type { Report, ReportFact } from '../host/report.ts';
import { defined } from '../json.ts';
import type { RunStatus } from '../kind.ts';
import { plainLine } from '../remote-text.ts';
import type { BoundRun } from './bind.ts';
import type { Delivered } from './deliver/delivery-environment.ts';

/** What the user is told of a submitted job besides its states: log, report and outputs. Reporting never fails the step. */
export interface Narration {
  submitted(): Promise<void>;
  /** The end of a step that does not wait, with what it last saw of the run. Returns the exit code. */
  left(seen: RunStatus | undefined): Promise<number>;
  /** Announces the wait, and at once what will cut it short. Times are in ms since the epoch. */
  waiting(times: { readonly now: number; readonly deadline: number; readonly credentialEnd: number | undefined }): void;
  phase(status: RunStatus): void;
  /** Rethrows an error that ended the watch, with what became of the job. */
  lost(error: unknown): Promise<never>;
  /** Tells the report and hands out the outputs, then waits until everything was told, but not beyond `limit`. */
  ended(
    outputs: Outputs,
    report: Omit<Report, 'title'>,
    last: { readonly forget: boolean; readonly limit: AbortSignal },
  ): Promise<void>;
  readonly baseOutputs: Outputs;
  readonly baseFacts: readonly ReportFact[];
  /** Lines on how a later step waits for the job, and how it is cancelled by hand. */
  readonly followUp: readonly string[];
}

/** Binds the telling to one submitted job. `firstKey` is what stood for its key before it was prepared. */
export function createNarration(
  { kind, plan, values }: BoundRun,
  host: Host,
  { id, attempt, origin, run }: Delivered,
  { key, firstKey }: { readonly key: string; readonly firstKey: string },
): Narration {
  const { log, context } = host;
  const { cancellation } = run;
  const isChange = plan.does === 'change';
  const startUrl = run.url(id);
  let told: Promise<unknown> = Promise.resolve();
  const warned = new Set<string>();

  const warn = (what: string) => (error: unknown) => {
    if (!warned.has(what)) {
      log.warning(
        `${what} failed; the job is not affected: ${plainLine(error instanceof Error ? error.message : 'unknown fault', 300)}`,
      );
    }
    warned.add(what);
  };
  /** One after the other, so that an earlier word never overwrites a later one. */
  const tell = (what: string, effect: () => Promise<unknown>): void => {
    told = told.then(effect).catch(warn(what));
  };
  let latestReport: Report | undefined;
  /** A report that was not told yet gives way to a newer one. */
  const tellReport = (report: Report): void => {
    latestReport = report;
    tell('The report', async () => {
      const current = latestReport;
      latestReport = undefined;
      if (current !== undefined) await host.report(current, key);
    });
  };

  const title = `${kind.title}: ${plan.title}`;
  const baseOutputs: Outputs = {
    kind: kind.id,
    id,
    ...defined({ url: startUrl }),
    ...(plan.does === 'attach' ? {} : { 'submission-key': key }),
    attempt: String(attempt),
    commit: context.commit,
  };
  const baseFacts: ReportFact[] = [
    { label: 'Commit', value: context.commit },
    { label: 'Identity', value: plan.access.identity },
  ];
  const followUp = [
    ...(run.readReference(id) === undefined ? [] : [`To wait for it in a later step: ${host.spell('attach')}: ${id}`]),
    ...(cancellation === undefined ? [] : [`To cancel it: ${cancellation.command(id)}`]),
  ];
  const report = (state: Report['state'], summary: string, url: string | undefined): Report => ({
    title,
    state,
    summary,
    facts: baseFacts,
    ...defined({ url }),
  });

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
    const isShared = twin.id === id;
    log.warning(
      isShared
        ? `Another job of this build submitted the identical request: both wait for the same run ${id}`
        : `Another job of this build submitted the identical request at the same time: its run is ${plainLine(twin.id ?? '', 200)}`,
    );
    log.info(`To submit a separate run on purpose, give each job a different ${host.spell('instance')}.`);
  };

  const submitted = async (): Promise<void> => {
    const which = `${id}${attempt > 1 ? ` (attempt ${attempt})` : ''}`;
    if (origin === 'created') log.success(`Submitted ${which}`);
    else if (!isChange) log.info(`Attaching to ${which}`);
    log.debug(`submission key ${key}`);
    showUrl(startUrl);
    // Before anything else: from now on a killed step must be able to cancel its job.
    if (values.wait && cancellation !== undefined)
      await host.remember({ kind: kind.id, id }).catch(warn('Keeping the job for a later cancel'));
    else await host.forget().catch(warn('Forgetting the job'));
    // A report of an earlier run that failed before its key was known would otherwise stay there.
    if (firstKey !== key && context.attempt > 1) tell('Removing the former report', () => host.removeReport(firstKey));
    if (origin === 'created' && !isChange) tell('Reading the outputs', lookForTwin);
    if (values.wait)
      tell('Publishing the outputs', () => host.publish({ ...baseOutputs, result: 'submitted' }, 'interim', key));
    tellReport(report('pending', `submitted as ${id}`, startUrl));
  };

  return {
    baseOutputs,
    baseFacts,
    followUp,
    submitted,
    left: async (seen) => {
      const url = seen?.url ?? startUrl;
      showUrl(url);
      for (const [name, value] of Object.entries(seen?.outputs ?? {})) log.info(`${name}: ${plainLine(value, 300)}`);
      if (url !== startUrl) tellReport(report('pending', `submitted as ${id}`, url));
      const outputs = {
        ...baseOutputs,
        ...seen?.outputs,
        ...defined({ url }),
        result: 'submitted',
      };
      tell('Publishing the outputs', async () => {
        for (const place of await host.publish(outputs, 'final', key)) log.info(`outputs: ${place}`);
      });
      if (run.complete !== undefined)
        log.info('What is done and checked at the end is left to the step that attaches: give it the same settings.');
      for (const line of followUp) log.info(line);
      await told;
      log.section('result', 'Result');
      log.success('The job is submitted; this step does not wait for it');
      return EXIT.done;
    },
    waiting: ({ now, deadline, credentialEnd }) => {
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
    phase: (status) => {
      showUrl(status.url);
      tellReport(report('pending', plainLine(`${status.phase} (${status.word})`, 200), status.url ?? startUrl));
    },
    lost: async (error) => {
      await host.forget().catch(warn('Forgetting the job'));
      if (error instanceof SubmitError) tellReport(report('failed', `${error.code}: ${error.message}`, shownUrl));
      await told;
      if (!(error instanceof SubmitError)) throw error;
      if (error.code === 'not-found') throw error;
      const { remedy, ...explanation } = error.explanation;
      throw new SubmitError(error.code, {
        ...explanation,
        remedy: [...remedy, `The job ${id} is not affected and keeps running.`, ...followUp],
      });
    },
    ended: async (outputs, final, { forget, limit }) => {
      if (forget) await host.forget().catch(warn('Forgetting the job'));
      tell('Publishing the outputs', async () => {
        for (const place of await host.publish(outputs, 'final', key)) log.info(`outputs: ${place}`);
      });
      tellReport({ ...final, title });
      const ended = new Promise((resolve) => limit.addEventListener('abort', resolve, { once: true }));
      if (!limit.aborted) await Promise.race([told, ended]);
    },
  };
}
