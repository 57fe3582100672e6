import type { SubmitError } from '../errors.ts';
import { documentationUrl } from '../project.ts';
import { plainLine, plainText } from '../remote-text.ts';
import type { Host, Log } from './host.ts';

type ErrorLog = Pick<Log, 'section' | 'error' | 'info' | 'remote' | 'link'>;

/** Prints an error whole: what happened, what was shown and wanted, the service's words, what to do. */
export function explainToUser(
  error: SubmitError,
  { log, spell }: { readonly log: ErrorLog; readonly spell: Host['spell'] },
): void {
  const { happened, presented, expected, words, remedy, link } = error.explanation;
  log.section('error', 'Error');
  log.error(`${error.code}: ${happened}`);
  const spelled = (lines: readonly string[] = []) =>
    lines.map((line) => line.replace(/«([a-z-]+)»/g, (_all, name: string) => spell(name)));
  const areFaults = error.code === 'invalid-settings' && expected === undefined;
  printList(log, areFaults ? 'Faults' : 'Presented', spelled(presented));
  printList(log, 'Expected', spelled(expected));
  if (words !== undefined && words.trim() !== '') {
    log.info("The service's words:");
    log.remote(plainText(words.slice(0, 20_000)).slice(0, 4_000).split('\n').slice(0, 40));
  }
  printList(log, 'What to do', spelled(remedy));
  if (link !== undefined) log.info(`More: ${log.link(documentationUrl(link))}`);
}

function printList(log: Pick<Log, 'info'>, title: string, lines: readonly string[]): void {
  if (lines.length === 0) return;
  log.info(`${title}:`);
  // Indentation is part of what can be copied, such as YAML.
  for (const line of lines) log.info(`  ${/^ */.exec(line)?.[0]}${plainLine(line, 2_000)}`);
}
