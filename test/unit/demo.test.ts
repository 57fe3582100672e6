import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { STORIES } from '../../tools/demo-stories.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Whom the services took the submitter for, by service. */
const IDENTITIES: Readonly<Record<string, string>> = {
  vertex: 'trainer@acme-ml',
  databricks: '5f0f2d0a…',
  prefect: 'key prefect-ci',
  vercel: 'policy vision on main',
};

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
      STORIES.map(({ ci, settings: { job }, result, exitCode }) => {
        const submitted = result !== 'refused';
        return [
          ci === 'bitbucket' ? 'Bitbucket' : 'Buildkite',
          job,
          submitted ? IDENTITIES[job.split('-')[0] ?? ''] : 'none',
          submitted ? expect.stringMatching(/^(?:\d{18,19}|[0-9a-f]{8}|dpl_[0-9a-f]+)$/) : '-',
          submitted ? '4f0c5b1d' : '-',
          result,
          String(exitCode),
        ];
      }),
    );
  });

  it('has a step for each story, so none shares its outputs with another', () => {
    const places = [...output.matchAll(/^ {2}outputs: meta-data keyless-submit:([\w-]+):NAME /gm)].map(
      ([, step]) => step,
    );
    expect(new Set(places).size).toBe(STORIES.filter(({ ci }) => ci === 'buildkite').length);
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
