import type { Files } from './files.ts';
import type { Outputs } from './host.ts';
import { isObject, parseJson, textAt } from './json.ts';

/** An outputs file holds a few lines; larger ones are not it. */
const LIMIT_BYTES = 1024 * 1024;

/** The outputs that an earlier step left in a file, none for a file that holds something else; or why it cannot be read. */
export async function readOutputsFile(
  path: string,
  files: Files,
): Promise<{ readonly outputs: Outputs | undefined } | { readonly problem: string }> {
  const file = await files.read(path, LIMIT_BYTES);
  return 'problem' in file ? file : { outputs: parsed(file.text) };
}

function parsed(text: string): Outputs | undefined {
  try {
    const outputs = parseJson(text);
    if (!isObject(outputs)) return undefined;
    return Object.fromEntries(Object.keys(outputs).map((name) => [name, textAt(outputs, name) ?? '']));
  } catch {
    return undefined;
  }
}
