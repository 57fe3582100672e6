import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** One call of the recording stand-in. */
export interface RecordedCall {
  readonly argv: readonly string[];
  readonly stdin: string | null;
  readonly env: Readonly<Record<string, string>>;
}

export interface RecordingAgent {
  /** The folder to put first on PATH: its `buildkite-agent` is the recording stand-in, not the agent. */
  readonly bin: string;
  calls(): readonly RecordedCall[];
}

/**
 * Puts the recording stand-in for `buildkite-agent` into a folder. Its own settings are written into the command, so
 * that it works for a caller that hands down a chosen environment.
 */
export function installRecordingAgent(folder: string, version = '3.137.2'): RecordingAgent {
  const bin = join(folder, 'recording-agent');
  const file = join(bin, 'calls.ndjson');
  const program = join(import.meta.dirname, 'recording-buildkite-agent.mjs');
  mkdirSync(bin, { recursive: true });
  writeFileSync(
    join(bin, 'buildkite-agent'),
    `#!/bin/sh\nRECORD_FILE='${file}' RECORD_VERSION='${version}' exec '${process.execPath}' '${program}' "$@"\n`,
    { mode: 0o755 },
  );
  return {
    bin,
    calls: () =>
      existsSync(file)
        ? readFileSync(file, 'utf8')
            .trimEnd()
            .split('\n')
            .map((line) => JSON.parse(line) as RecordedCall)
        : [],
  };
}
