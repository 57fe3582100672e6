import { type Json, textAt } from '../../json.ts';

/** What a deployment's id is, for messages. */
export const DEPLOYMENT_ID_FORM = 'the id of a deployment: dpl_ with letters and digits';

/** The id of a deployment; undefined for any other text. */
export function readDeploymentId(text: string | undefined): string | undefined {
  return text !== undefined && /^dpl_[A-Za-z0-9]{1,100}$/.test(text) ? text : undefined;
}

/** The id that an answer gives a deployment, which lists call `uid`; undefined when there is none in its form. */
export function deploymentIdAt(answer: Json | undefined): string | undefined {
  return readDeploymentId(textAt(answer, 'uid') ?? textAt(answer, 'id'));
}
