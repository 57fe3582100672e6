import { type Answer, answerJson, describeAttempt, isSuccess } from '../../http/http.ts';
import { urlPart } from '../../http/url-part.ts';
import { isObject, listAt, textAt } from '../../json.ts';
import type { FailureCause, RunStatus } from '../../kind.ts';
import { plainLine } from '../../remote-text.ts';
import { type VercelApi, vercelError } from './api.ts';
import { addressOf } from './deployment-status.ts';
import { type SmokeTest, smokeTest } from './smoke-test.ts';

/** What is done with a deployment that is ready. */
export interface Completion {
  readonly aliases: readonly string[];
  readonly smoke: SmokeTest | undefined;
}

/** Assigns the domains that were asked for, then looks whether the deployment answers. Either may fail a deployment that is ready. */
export async function completeDeployment(
  vercel: VercelApi,
  id: string,
  status: RunStatus,
  { aliases, smoke }: Completion,
): Promise<RunStatus> {
  const { call, log, persist } = vercel;
  const refused: string[] = [];
  const assigned: string[] = [];
  for (const alias of aliases) {
    // https://vercel.com/docs/rest-api/aliases/assign-an-alias
    const answer = await persist(call('POST', `/v2/deployments/${urlPart(id)}/aliases`, { body: { alias } }));
    if (isAssigned(answer)) {
      assigned.push(alias);
      log.info(`${alias} points at ${id}`);
    } else refused.push(`${alias}: ${refusalOf(answer)}`);
  }
  const known = listAt(status.source, 'alias').filter((alias) => typeof alias === 'string');
  const source = isObject(status.source)
    ? { ...status.source, alias: [...new Set([...known, ...assigned])] }
    : status.source;
  const completed: RunStatus = { ...status, source };
  if (refused.length > 0)
    return failed(completed, 'code', `The deployment is ready, but not under ${refused.join('; ')}`);
  if (smoke === undefined) return completed;

  const address = addressOf(source);
  if (address === undefined)
    return failed(completed, 'code', 'Vercel gave the deployment no address that could be asked');
  const fault = await smokeTest(vercel, address, smoke, aliases);
  return fault === undefined ? completed : failed(completed, fault.cause, fault.message);
}

function failed(status: RunStatus, cause: FailureCause, message: string): RunStatus {
  return { ...status, phase: 'failed', failure: { cause, message } };
}

/** A success names the domain. A conflict means that the deployment has the domain already, unless it says something else. */
function isAssigned(answer: Answer): boolean {
  if (isSuccess(answer)) return textAt(answerJson(answer), 'alias') !== undefined;
  return answer.status === 409 && !/in_use|taken|not_ready/.test(textAt(vercelError(answer), 'code') ?? '');
}

function refusalOf(answer: Answer): string {
  if (isSuccess(answer)) return describeAttempt(answer);
  const error = vercelError(answer);
  const parts = [textAt(error, 'code') ?? String(answer.status), textAt(error, 'message') ?? ''];
  return plainLine(parts.filter((part) => part !== '').join(': '), 300);
}
