import { describe, expect, it } from 'vitest';
import type { Files } from '../../shared/files.ts';
import { outputsFileProblems, readOutputsFile, writeOutputsFiles } from '../../shared/host/outputs-file.ts';

const MIB = 1024 * 1024;

/** A checkout with these files, in which some paths cannot be written to. */
function checkout(present: Readonly<Record<string, string>> = {}, blocked: readonly string[] = []) {
  const written = new Map<string, string>();
  const files: Pick<Files, 'read' | 'write' | 'writeProblem'> = {
    read: async (path, limitBytes) => {
      const text = present[path];
      if (text === undefined) return { problem: `${path} does not exist` };
      return text.length > limitBytes ? { problem: `${path} is too large` } : { text };
    },
    writeProblem: async (path) => (blocked.includes(path) ? `${path} is a directory` : undefined),
    write: async (path, text) => void written.set(path, text),
  };
  return { files: files as Files, written };
}

describe('the outputs of an earlier step', () => {
  it.each<[string, string, object]>([
    ['texts', '{"kind":"k","id":"7"}', { outputs: { kind: 'k', id: '7' } }],
    ['numbers of any size', '{"a":1,"b":9007199254740993}', { outputs: { a: '1', b: '9007199254740993' } }],
    [
      'what is neither',
      '{"a":null,"b":{},"c":[],"d":true,"e":"x"}',
      { outputs: { a: '', b: '', c: '', d: '', e: 'x' } },
    ],
    ['nothing', '{}', { outputs: {} }],
    ['a list', '["a"]', { outputs: undefined }],
    ['a text', '"a"', { outputs: undefined }],
    ['null', 'null', { outputs: undefined }],
    ['half of it', '{"kind":', { outputs: undefined }],
    ['a file of 1 MiB', `{}${' '.repeat(MIB - 2)}`, { outputs: {} }],
    ['a larger file', `{}${' '.repeat(MIB - 1)}`, { problem: 'outputs.json is too large' }],
  ])('are read from %s', async (_what, text, read) => {
    const { files } = checkout({ 'outputs.json': text });
    expect(await readOutputsFile('outputs.json', files)).toEqual(read);
  });

  it('are missed with words', async () => {
    expect(await readOutputsFile('gone.json', checkout().files)).toEqual({ problem: 'gone.json does not exist' });
  });
});

describe('the outputs of a step', () => {
  it.each([
    ['build/outputs.json', 'build/outputs.env'],
    ['a.json/b.json', 'a.json/b.env'],
  ])('are written to %s and for shells to %s', async (path, shell) => {
    const { files, written } = checkout();
    expect(await writeOutputsFiles(path, { id: '7', 'duration-seconds': "it's" }, files)).toEqual([path, shell]);
    expect([...written]).toEqual([
      [path, '{\n  "id": "7",\n  "duration-seconds": "it\'s"\n}\n'],
      [shell, "export KEYLESS_ID='7'\nexport KEYLESS_DURATION_SECONDS='it'\\''s'\n"],
    ]);
  });

  it.each<[readonly string[], readonly string[]]>([
    [[], []],
    [['o.json'], ['o.json is a directory']],
    [['o.env'], ['o.env is a directory']],
    // One setting, one fault.
    [['o.json', 'o.env'], ['o.json is a directory']],
  ])('cannot be written where %j cannot', async (blocked, problems) => {
    const { files, written } = checkout({}, blocked);
    expect(await outputsFileProblems('o.json', files)).toEqual(
      problems.map((problem) => ({ setting: 'outputs-file', problem })),
    );
    expect(written.size).toBe(0);
  });
});
