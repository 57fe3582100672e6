import type { SubmitError } from './errors.ts';
import type { Log } from './host.ts';
import { documentationUrl } from './project.ts';
import { plainText } from './remote-text.ts';

/** Prints an error whole: what happened, what was shown and wanted, the service's words, what to do. */
export function explainToUser(error: SubmitError, log: Log): void {
  const { happened, presented, expected, words, remedy, link } = error.explanation;
  log.section('Error');
  log.error(`${error.code}: ${happened}`);
  printList(log, error.code === 'invalid-settings' ? 'Faults' : 'Presented', presented);
  printList(log, 'Expected', expected);
  if (words !== undefined && words.trim() !== '') {
    log.info("The service's words:");
    log.remote(plainText(words.slice(0, 20_000)).slice(0, 4_000).split('\n').slice(0, 40));
  }
  printList(log, 'What to do', remedy);
  if (link !== undefined) log.info(`More: ${log.link(documentationUrl(link))}`);
}

function printList(log: Log, title: string, lines: readonly string[] | undefined): void {
  if (lines === undefined || lines.length === 0) return;
  log.info(`${title}:`);
  for (const line of lines) log.info(`  ${line}`);
}
