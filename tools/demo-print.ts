import { stripVTControlCharacters, styleText } from 'node:util';
import { stringify } from 'yaml';
import { PROJECT } from '../shared/project.ts';
import { pipeVariables } from './ci-step.ts';
import type { Told } from './demo-run.ts';
import type { Story } from './demo-stories.ts';

const WIDTH = 78;

/** Whether standard output shows colours; styleText goes by the terminal, FORCE_COLOR and NO_COLOR. */
const COLOURS = styleText('bold', '.') !== '.';

const LINK = /\u001b\]1339;url='([^']*)';content='([^']*)'\u0007/g;
const GROUP = /^(?:---|\+\+\+|~~~) (?::[\w-]+: )?(.*)$/gm;

/** The log of a CI for a terminal: Buildkite's links and groups as text, and colours only where they show. */
export function plainLog(log: string): string {
  const text = log
    .replace(LINK, (_all, url: string, content: string) => (url === content ? url : `${content} <${url}>`))
    .replace(GROUP, (_all, title: string) => `\n${styleText(['bold', 'blue'], `▸ ${title}`)}`);
  return COLOURS ? text : stripVTControlCharacters(text);
}

export function nameOf({ ci, kind }: Story): string {
  return `${ci === 'bitbucket' ? 'Bitbucket pipe' : 'Buildkite plugin'} · ${kind.id}`;
}

/** One story whole: what it is about, the step as its user writes it, its log and its end. */
export function storyText(told: Told, number: number, of: number): string {
  const { story, log, exitCode, seconds } = told;
  const title = `━━ ${number}/${of} ${nameOf(story)} `;
  const end = `exit code ${exitCode} after ${seconds.toFixed(1)} s`;
  return [
    '',
    styleText('bold', title.padEnd(WIDTH, '━')),
    '',
    story.about,
    '',
    indented(styleText('gray', stepText(story)), 2),
    '',
    plainLog(log).trim(),
    '',
    isAsExpected(told)
      ? styleText('gray', `— ${end}`)
      : styleText('red', `— ${end}; expected ${story.exitCode} and a job that ${wordFor(story)}`),
    '',
  ].join('\n');
}

export function isAsExpected({ story, exitCode, result }: Told): boolean {
  return exitCode === story.exitCode && result === story.result;
}

function wordFor({ result }: Story): string {
  return result === 'refused' ? 'was never submitted' : `is ${result}`;
}

function stepText({ ci, settings }: Story): string {
  const step =
    ci === 'bitbucket'
      ? { pipe: `${PROJECT.pipe}:${PROJECT.version}`, variables: pipeVariables(settings) }
      : { [`${PROJECT.plugin}#v${PROJECT.version}`]: settings };
  return stringify([step], { lineWidth: 0 }).trimEnd();
}

function indented(text: string, by: number): string {
  return text.replace(/^(?=.)/gm, ' '.repeat(by));
}

/** What was submitted by whom, a row for each story. */
export function summaryTable(all: readonly Told[]): string {
  const head = ['CI', 'Kind', 'Identity', 'Run', 'Commit', 'Result', 'Exit'];
  const rows = all.map(({ story, job, result, exitCode }) => [
    story.ci === 'bitbucket' ? 'Bitbucket' : 'Buildkite',
    story.kind.id,
    job === undefined ? 'none' : shortIdentity(job.submitter ?? 'unknown'),
    shortId(job?.id ?? '-'),
    commitIn(job?.body ?? '')?.slice(0, 8) ?? '-',
    result,
    String(exitCode),
  ]);
  const widths = head.map((_title, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0));
  return [
    styleText('bold', line(head).join('  ')),
    ...rows.map((row) =>
      line(row)
        .map((cell, column) => (column === 5 ? styleText(styleOf(cell.trimEnd()), cell) : cell))
        .join('  ')
        .trimEnd(),
    ),
  ].join('\n');
}

function styleOf(result: string): 'green' | 'yellow' | 'red' {
  return result === 'succeeded' ? 'green' : result === 'cancelled' ? 'yellow' : 'red';
}

/** What stands for the shortened identities of the table. */
export function identityLegend(all: readonly Told[]): string {
  const identities = new Set(all.flatMap(({ job }) => job?.submitter ?? []));
  return [...identities]
    .filter((identity) => shortIdentity(identity) !== identity)
    .map((identity) => `${shortIdentity(identity)} = ${identity}`)
    .join('\n');
}

/** The commit that a request says it is for. */
function commitIn(body: string): string | undefined {
  return /commit\w*":"([0-9a-f]{40})"/i.exec(body)?.[1];
}

/** The last part of a long name, and of a UUID as much as tells it from others. */
function shortId(id: string): string {
  return id.replace(/^.*\//, '').replace(/^([0-9a-f]{8})-.*$/, '$1…');
}

function shortIdentity(identity: string): string {
  return identity.replace(/\.iam\.gserviceaccount\.com$/, '').replace(/^([0-9a-f]{8})-.*$/, '$1…');
}
