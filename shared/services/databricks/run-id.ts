import { type Json, textAt } from '../../json.ts';

/** What a run's id is, for messages. */
export const RUN_ID_FORM = "a run's id: at most 19 digits";

/** The id of a run, as its digits (an int64); undefined for any other text. */
export function readRunId(text: string | undefined): string | undefined {
  return text !== undefined && /^\d{1,19}$/.test(text) ? text : undefined;
}

/** The `run_id` of an answer; undefined when there is none in its form. */
export function runIdAt(answer: Json | undefined): string | undefined {
  return readRunId(textAt(answer, 'run_id'));
}
