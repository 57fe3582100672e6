import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'vitest';
import { variableName } from '../../shared/host/output-names.ts';
import { BUILDKITE_JOB } from '../simulators/tenant.ts';
import type { World } from '../simulators/world.ts';
import { type FileTree, temporaryFolder } from './folders.ts';
import { foreignControls, groupLines, PAGE_HOSTS } from './log-text.ts';
import type { Ci, StepEnded } from './step.ts';

const OWN_GROUP = /^(?:---|\+\+\+) :[a-z_]+: (?:Identity: |Submit: |Attach: |Wait for the job$|Result$|Error$)/;
const OWN_TAG = /<\/?(?:p|strong|table|tr|td|code|pre|details|summary)>|<\/a>/g;
const OWN_LINK = new RegExp(
  `<a href="https&#58;//(?:${PAGE_HOSTS.join('|').replaceAll('.', '\\.')}|edge-[a-z0-9-]+\\.vercel\\.app)(?:/[^"<>\\s]*)?">`,
  'g',
);
/** Longer values may be cut for a shell, which can start no program when one is too long. */
const LONG_VALUE = 10_000;
const OWN_EMOJI = /^<p>:[a-z_]+: /;

/** Nothing of a text that came with a step's job is more than text: in the log, the report, the outputs. */
export function expectHarmless(ci: Ci, { output, files }: StepEnded, world: World): void {
  expect(foreignControls(output)).toEqual([]);
  expect(groupLines(output).filter((line) => ci === 'bitbucket' || !OWN_GROUP.test(line))).toEqual([]);
  // A report or outputs that the CI refuses are told as a warning.
  expect(output).not.toMatch(/(?:report|outputs|Forgetting|Keeping).* failed/);

  for (const { bodies } of world.agentApi.annotations()) for (const body of bodies) expectInertAnnotation(body);
  expect(world.reports.refusals()).toEqual([]);
  for (const { puts } of world.reports.reports()) expect(textsIn(puts).flatMap(foreignControls)).toEqual([]);

  expect(Object.keys(files).filter((path) => path.endsWith('pwned'))).toEqual([]);
  expectInertVariables(files['agent/variables.env'] ?? '');
  for (const [path, text] of Object.entries(files)) {
    if (path.endsWith('.env') && path.startsWith('checkout/')) expectInertShellFile(path, text, files);
  }
}

/** Only tags and links that the packaging writes; the rest is text that neither HTML nor Markdown gives a meaning. */
function expectInertAnnotation(body: string): void {
  const text = body.replace(OWN_EMOJI, '').replace(OWN_TAG, '').replace(OWN_LINK, '');
  expect(text.match(/[<>`|*[\]"'\\@~].{0,40}|:\w+:|&(?!#\d+;).{0,40}|\]\(.{0,40}/g)).toBeNull();
  expect(foreignControls(body)).toEqual([]);
  for (const line of body.split('\n')) expect(line).toMatch(/^(?:<|$)/);
}

function expectInertVariables(text: string): void {
  const names = text.split('\n').map((line) => line.split('=')[0]);
  expect(
    names.filter(
      (name) => !['', 'KEYLESS_ID', 'KEYLESS_URL', 'KEYLESS_RUN_NAME', 'KEYLESS_ERROR'].includes(name ?? ''),
    ),
  ).toEqual([]);
}

/** A shell that reads the file has the very outputs, has run nothing, and can still start programs. */
function expectInertShellFile(path: string, text: string, files: FileTree): void {
  using folder = temporaryFolder('files', { 'outputs.env': text });
  const shown = execFileSync('sh', ['-c', 'set -eu; . ./outputs.env; exec env -0'], { cwd: folder.path });
  const found = Object.fromEntries(shown.toString('utf8').split('\0').map(splitVariable));
  const outputs: Record<string, string> = JSON.parse(files[path.replace(/\.env$/, '.json')] ?? '');
  const short = Object.entries(outputs).filter(([, value]) => value.length <= LONG_VALUE);
  for (const [name, value] of short) expect(found[variableName(name)]).toBe(value.replaceAll('\0', ''));
  expect(execFileSync('ls', ['-A', join(folder.path)], { encoding: 'utf8' })).toBe('outputs.env\n');
}

function splitVariable(line: string): readonly [string, string] {
  const at = line.indexOf('=');
  return [line.slice(0, at), line.slice(at + 1)];
}

/** What the last step handed on. */
export function outputsOf(ci: Ci, { files }: StepEnded, world: World): Readonly<Record<string, string>> {
  const text =
    ci === 'bitbucket'
      ? files['checkout/.keyless-submit/outputs.json']
      : world.agentApi.metaData().get(`keyless-submit:${BUILDKITE_JOB.stepKey}`);
  return JSON.parse(text ?? '{}');
}

function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}
