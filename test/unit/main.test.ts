import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';

const MAIN = join(import.meta.dirname, '../../shared/main.ts');
const ERRORS = join(import.meta.dirname, '../../shared/errors.ts');
const NO_CLAIM = /If a job was submitted, it may still be running/;

/** Starts a program that runs `body`, the text of a main function, as both packagings run theirs. */
function started(body: string) {
  const program = `
    import { runMain } from ${JSON.stringify(MAIN)};
    import { SubmitError } from ${JSON.stringify(ERRORS)};
    runMain(async (signal) => { ${body} }, '^^^ +++\\n');
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
  });
  const ended = new Promise<{ code: number | null; output: string }>((resolve) => {
    child.once('close', (code) => resolve({ code, output }));
  });
  const printed = new Promise<void>((resolve) => child.stdout.once('data', () => resolve()));
  return { ended, printed, kill: (signal: NodeJS.Signals) => child.kill(signal) };
}

describe('a step without a result ends as a fault, in words, when', () => {
  it.each([
    ['it waits for what never comes', 'await new Promise(() => undefined);'],
    ['only timers that keep nothing alive are left', 'await new Promise((done) => setTimeout(done, 60_000).unref());'],
    ['something else ends the process with success', 'process.exit(0);'],
    ['something else sets a success', 'process.exitCode = 0; await new Promise(() => undefined);'],
  ])('%s', async (_name, body) => {
    const { code, output } = await started(body).ended;
    expect(code).toBe(70);
    expect(output).toContain('^^^ +++\n✖ keyless-submit ended without a result');
    expect(output).toMatch(NO_CLAIM);
  });

  it('an error reaches nobody', async () => {
    const rejected = "Promise.reject(new Error('lost')); await new Promise((done) => setTimeout(done, 60_000));";
    const { code, output } = await started(rejected).ended;
    expect([code, output]).toEqual([70, expect.stringContaining('stopped by a fault of its own')]);
    expect(output).toContain('Error: lost');
  });
});

describe('a step with a result ends with it:', () => {
  it.each([
    [0, 'return 0;'],
    [6, 'return 6;'],
    [0, 'setInterval(() => undefined, 1_000); return 0;'],
  ])('%i by %s', async (expected, body) => {
    const { code, output } = await started(body).ended;
    expect(code).toBe(expected);
    expect(output).toBe('');
  });

  it('2 by an error that explains itself, as it is explained everywhere', async () => {
    const explanation = {
      happened: 'It is wrong',
      presented: ['VARIABLE: 0'],
      expected: ['1'],
      remedy: ['Correct it.'],
      link: 'docs/network.md',
    };
    const { code, output } = await started(`throw new SubmitError('invalid-settings', ${JSON.stringify(explanation)});`)
      .ended;
    expect(code).toBe(2);
    expect(output.split('\n')).toEqual([
      '',
      '^^^ +++',
      '✖ invalid-settings: It is wrong',
      '  Presented:',
      '    VARIABLE: 0',
      '  Expected:',
      '    1',
      '  What to do:',
      '    Correct it.',
      expect.stringMatching(/^ {2}More: https:.*\/docs\/network\.md$/),
      '',
    ]);
  });
});

describe('a step that is cancelled', () => {
  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('and has nothing left to wait for ends as after %s', async (name, expected) => {
    const step = started(
      "console.log('up'); const timer = setInterval(() => 0, 100); signal.addEventListener('abort', () => clearInterval(timer)); await new Promise(() => undefined);",
    );
    await step.printed;
    step.kill(name);
    const { code, output } = await step.ended;
    expect(code).toBe(expected);
    expect(output).toMatch(NO_CLAIM);
  });

  it('and hangs ends by force before the CI kills it', async () => {
    const step = started("console.log('up'); setInterval(() => undefined, 100); await new Promise(() => undefined);");
    await step.printed;
    const at = performance.now();
    step.kill('SIGTERM');
    const { code, output } = await step.ended;
    expect(performance.now() - at).toBeLessThan(9_500);
    expect(code).toBe(143);
    expect(output).toContain('The step was cancelled (SIGTERM) and could not end in time');
    expect(output).toMatch(NO_CLAIM);
  });
});
