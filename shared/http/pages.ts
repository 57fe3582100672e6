import { SubmitError } from '../errors.ts';
import type { Json } from '../json.ts';

/** No list that is read here is anywhere near as long. */
const MOST_PAGES = 100;

/**
 * The pages of a list, each asked for with the token that `nextOf` finds in the one before; `read` gets an empty token first.
 * @throws SubmitError `unreadable-answer` for a list without an end.
 */
export async function* pagesOf(
  origin: string,
  nextOf: (page: Json) => string | undefined,
  read: (token: string) => Promise<Json>,
): AsyncIterable<Json> {
  let token = '';
  for (let count = 1; count <= MOST_PAGES; count += 1) {
    const page = await read(token);
    yield page;
    const next = nextOf(page) ?? '';
    if (next === '') return;
    if (next === token) throw unending(origin, `page ${count} names itself as the next page`);
    token = next;
  }
  throw unending(origin, `it has more than ${MOST_PAGES} pages`);
}

function unending(origin: string, why: string): SubmitError {
  return new SubmitError('unreadable-answer', {
    happened: `A list from ${new URL(origin).host} cannot be read to its end: ${why}`,
    expected: [`at most ${MOST_PAGES} pages, each with the token of the next`],
    remedy: ['Retry the step. To attach to a job, name it by its id, which needs no list.'],
    lasting: true,
  });
}
