import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { JOB_KINDS } from '../../shared/services/index.ts';
import { STORIES } from '../../tools/demo-stories.ts';
import { COMMIT } from '../simulators/tenant.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Whether a name of the table stands for a whole one. */
function isShortFor(name: string, whole: string): boolean {
  return name.length > 5 && whole.startsWith(name.replace('…', ''));
}

/** What is submitted, as the golden file of the kind has it. */
function submission(kind: string, ci: string): string {
  return readFileSync(join(ROOT, `test/contract/golden/${kind}.${ci}.http`), 'utf8');
}

describe('the demo', () => {
  let output = '';

  beforeAll(async () => {
    const { FORCE_COLOR: _colours, ...env } = process.env;
    // It rejects for any exit code but 0.
    const ended = await promisify(execFile)(process.execPath, ['tools/demo.ts'], { cwd: ROOT, env, timeout: 120_000 });
    output = ended.stdout;
    expect(ended.stderr).toBe('');
  }, 120_000);

  it('tells every story with its end', () => {
    const ends = [...output.matchAll(/^— exit code (\d+) after [\d.]+ s$/gm)].map(([, code]) => Number(code));
    expect(ends).toEqual(STORIES.map(({ exitCode }) => exitCode));
  });

  it('has a row for each run: who submitted what from which commit', () => {
    const [, table = ''] = output.split('Who submitted what');
    const rows = table
      .split('\n')
      .filter((line) => /^(?:Bitbucket|Buildkite) /.test(line))
      .map((line) => line.split(/ {2,}/));
    expect(rows).toEqual(
      STORIES.map(({ ci, kind, result, exitCode }) => [
        ci === 'bitbucket' ? 'Bitbucket' : 'Buildkite',
        kind.id,
        result === 'refused' ? 'none' : expect.toSatisfy((name) => isShortFor(name, kind.submitter)),
        result === 'refused' ? '-' : expect.stringMatching(/^(?:\d{18,19}|[0-9a-f]{8}…|dpl_[0-9a-z]+)$/),
        result !== 'refused' && submission(kind.id, ci).includes(COMMIT) ? COMMIT.slice(0, 8) : '-',
        result,
        String(exitCode),
      ]),
    );
  });

  it('has a step for each story, so none shares its outputs with another', () => {
    const places = [...output.matchAll(/^ {2}outputs: meta-data keyless-submit:([\w-]+):NAME /gm)].map(
      ([, step]) => step,
    );
    expect(new Set(places).size).toBe(STORIES.filter(({ ci }) => ci === 'buildkite').length);
  });

  it('has every kind', () => {
    expect(JOB_KINDS.map(({ id }) => id).filter((id) => !STORIES.some(({ kind }) => kind.id === id))).toEqual([]);
  });

  it('prints no token', () => {
    expect(output).toMatch(/\d+ tokens were issued; none of them is in the logs above/);
    expect(output).not.toMatch(/\beyJ[\w-]+\.[\w-]+/);
    expect(output).not.toMatch(/\bya29\./);
  });

  it('is plain text where there is no terminal', () => {
    expect(output).not.toContain('\u001b');
    expect(output).toContain('the command buildkite-agent is a small stand-in');
  });
});
