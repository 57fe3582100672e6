import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { shellFile, shellPath, variableName } from '../../shared/host/output-names.ts';

const VALUES = {
  id: 'projects/1/locations/x/customJobs/2',
  'notebook-result': "it's \"done\"; $(touch ran) `touch ran` $HOME \u0024{PATH} \\ \\' ''",
  tasks: '[{"error":"line 1\nline 2\n"}]',
  result: '; touch ran\n& touch ran | touch ran > ran',
  state: '',
  'run-name': "'; touch ran; '",
  commit: '漢字 é 🚀 \t end ',
  failure: '\nbegins and ends with a line end\n',
};

describe('outputs for shells', () => {
  it('are variables with a prefix of their own', () => {
    expect(variableName('duration-seconds')).toBe('KEYLESS_DURATION_SECONDS');
    expect(shellPath('build/outputs.json')).toBe('build/outputs.env');
  });

  it.each(['sh', 'bash'])('are inert when %s reads them, whatever they hold', (shell) => {
    const directory = mkdtempSync(join(tmpdir(), 'keyless-outputs-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    writeFileSync(join(directory, 'outputs.env'), shellFile(VALUES));
    const names = Object.keys(VALUES).map(variableName);
    const script = `. ./outputs.env; for name in ${names.join(' ')}; do printenv "$name"; printf '\\0'; done`;
    const printed = execFileSync(shell, ['-euc', script], { cwd: directory, encoding: 'utf8' });
    // printenv ends each value with a line end.
    expect(printed.split('\n\0').slice(0, -1)).toEqual(Object.values(VALUES));
    expect(existsSync(join(directory, 'ran'))).toBe(false);
  });

  it('lose the one character that no variable can hold', () => {
    expect(shellFile({ id: "a\0'; b" })).toBe("export KEYLESS_ID='a'\\''; b'\n");
  });
});
