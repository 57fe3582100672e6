/** How 64-bit integers are printed: some services give numbers, some the decimal strings of protocol buffers' JSON form. */
export type Int64Form = 'number' | 'string';

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Parses JSON without losing digits: an integer that a double cannot hold becomes its decimal string. */
export function parseInt64Json(text: string): unknown {
  const exact = text.replace(TOKEN, (token) =>
    /^-?\d+$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"${token}"` : token,
  );
  return JSON.parse(exact);
}

/** Prints JSON in which every bigint takes the given form. */
export function printInt64Json(value: unknown, form: Int64Form): string {
  const mark = crypto.randomUUID();
  const text = JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'bigint' ? (form === 'string' ? String(part) : `${mark}${part}`) : part,
  );
  return text.replace(new RegExp(`"${mark}(-?\\d+)"`, 'g'), '$1');
}
