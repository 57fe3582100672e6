import type { Files } from '../files.ts';
import { isObject, stringifyJson, textAt, tryParseJson } from '../json.ts';
import type { Outputs } from './host.ts';
import { shellFile, shellPath } from './output-names.ts';

/** An outputs file holds a few lines; larger ones are not it. */
const LIMIT_BYTES = 1024 * 1024;

/** The outputs that an earlier step left in a file, none for a file that holds something else; or why it cannot be read. */
export async function readOutputsFile(
  path: string,
  files: Files,
): Promise<{ readonly outputs: Outputs | undefined } | { readonly problem: string }> {
  const file = await files.read(path, LIMIT_BYTES);
  return 'problem' in file ? file : { outputs: readOutputs(file.text) };
}

/** The outputs that are written as a JSON object; undefined for any other text. */
export function readOutputs(text: string): Outputs | undefined {
  const outputs = tryParseJson(text);
  return isObject(outputs)
    ? Object.fromEntries(Object.keys(outputs).map((name) => [name, textAt(outputs, name) ?? '']))
    : undefined;
}

/** Writes outputs as JSON, and as a file for shells next to it. Returns both paths. Rejects with a plain message. */
export async function writeOutputsFiles(
  path: string,
  outputs: Outputs,
  files: Files,
): Promise<readonly [string, string]> {
  await files.write(path, `${stringifyJson(outputs, 2)}\n`);
  await files.write(shellPath(path), shellFile(outputs));
  return [path, shellPath(path)];
}

/** The first thing that would keep `writeOutputsFiles` from writing, in a form that can be reported for the setting; nothing is changed. */
export async function outputsFileProblems(
  path: string,
  files: Files,
): Promise<readonly { readonly setting: string; readonly problem: string }[]> {
  const problem = (await files.writeProblem(path)) ?? (await files.writeProblem(shellPath(path)));
  return problem === undefined ? [] : [{ setting: 'outputs-file', problem }];
}
