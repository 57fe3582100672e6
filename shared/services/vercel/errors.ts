import { type ErrorCode, SubmitError } from '../../errors.ts';
import { type Answer, type HttpCall, unreadable } from '../../http/http.ts';
import { isObject, type JsonObject, objectAt, stringifyJson, textAt } from '../../json.ts';
import { plainLine } from '../../remote-text.ts';
import { vercelError } from './api.ts';
import type { VercelTrust } from './trust.ts';

export const GUIDE = 'docs/vercel.md';

/** Plan limits: waiting a little does not help. */
const CAPACITY = /^(?:builds_rate_limited|.*_limit_exceeded|payment_required|.*quota.*)$/;

/** What a refusal of Vercel's API means. https://vercel.com/docs/rest-api/errors */
export function explainVercel(trust: VercelTrust, identity: string, call: HttpCall, answer: Answer): SubmitError {
  const error = vercelError(answer);
  const code = textAt(error, 'code') ?? '';
  const message = textAt(error, 'message') ?? '';
  if (code === '' && message === '') return unreadable(call.url, answer);
  const url = new URL(call.url);
  const reject = (
    name: ErrorCode,
    happened: string,
    expected: readonly string[],
    remedy: readonly string[],
  ): SubmitError =>
    new SubmitError(name, {
      happened,
      presented: [
        `${call.method} ${url.host}${url.pathname}`,
        `identity ${identity}`,
        `team ${trust.team}`,
        `project ${trust.project}`,
      ],
      expected,
      words: `${code === '' ? answer.status : code}: ${message}${details(error)}`,
      remedy,
      link: GUIDE,
    });

  if (answer.status === 401 || error.missingToken === true || error.invalidToken === true) {
    return reject(
      'credential-rejected',
      'Vercel does not accept the token',
      ['a token that is valid now, of this team or project'],
      [
        'A token of your own («token», or what «secret-from» names for it): check that it has not expired and is the one that is meant.',
        'A token of the exchange: start the step again.',
      ],
    );
  }
  if (answer.status === 403 && error.saml === true) {
    return reject(
      'permission-denied',
      `Team ${trust.team} demands a sign-in by SAML, which this token did not come from`,
      ["an exchange under the team's own OIDC policy, or a token that was made under SAML"],
      ['Use the exchange, or make the token anew while signed in by SAML, with the team as its scope.'],
    );
  }
  if (answer.status === 403) {
    return reject(
      'permission-denied',
      `The identity may not do this in team ${trust.team}`,
      ['a policy or a token of this team whose projects include this one, with the permission to deploy'],
      [
        "Check «team» and «project», the policy's resources and permissions, and the scope of a token.",
        'A policy that is for one project only may refuse to upload files, which belong to the team; then leave its resources unbounded.',
      ],
    );
  }
  if (answer.status === 402 || isVercelCapacity(answer)) {
    return reject(
      'quota-exceeded',
      "A limit of the team's plan does not allow it",
      ["room within the plan's limits"],
      ['Wait until the limit begins anew, or change the plan.'],
    );
  }
  if (answer.status === 404 && /^\/v9\/projects\/[^/]+$/.test(url.pathname)) {
    return reject(
      'not-found',
      `Team ${trust.team} has no project ${trust.project}, or the identity may not see it`,
      ['the name or the id of a project of that team'],
      ["Check «project» and «team», and that the project is among the policy's resources."],
    );
  }
  if (answer.status === 404) {
    return reject(
      'not-found',
      /deployment/i.test(`${code} ${message}`)
        ? 'Vercel does not know the deployment'
        : `Vercel does not know what was asked for in team ${trust.team}`,
      ['a project and a deployment of that team'],
      [
        'Check «project», «team» and, where one is named, the deployment. Deployments that retention has removed are gone.',
      ],
    );
  }
  if (answer.status === 413) {
    return reject(
      'request-rejected',
      'Vercel takes no request of this size',
      ["files within the plan's limits"],
      ['Leave out of the build what is not served; the sizes were printed before.'],
    );
  }
  if (answer.status === 409) {
    return reject(
      'request-rejected',
      'What is there, or under way, stands against it (409)',
      ['nothing else that changes the same at the same time'],
      ['If another change of production is under way, start the step again when that is over.'],
    );
  }
  return reject(
    'request-rejected',
    `Vercel refused the request (${answer.status})`,
    ['a request body as the API describes it'],
    ['Correct the settings or the spec: the words above say what is wrong.'],
  );
}

/** What an error says besides its message: which domain, which field. */
function details(error: JsonObject): string {
  const { code: _code, message: _message, ...rest } = error;
  return Object.keys(rest).length === 0 ? '' : `\n${plainLine(stringifyJson(rest), 1_000)}`;
}

/** Whether the plan has no room, which waiting a little does not change. */
export function isVercelCapacity(answer: Answer): boolean {
  return CAPACITY.test(textAt(vercelError(answer), 'code') ?? '');
}

/** The shas that a refused deployment asks to be uploaded; undefined when it is refused for another reason. */
export function missingFiles(answer: Answer): readonly string[] | undefined {
  const error = vercelError(answer);
  if (answer.status !== 400 || textAt(error, 'code') !== 'missing_files') return undefined;
  const { missing } = error;
  return Array.isArray(missing) ? missing.filter((sha) => typeof sha === 'string') : [];
}

/** `code: message` of an object such as `aliasError`; undefined where there is none. */
export function errorText(source: unknown, name: string): string | undefined {
  const error = isObject(source) ? objectAt(source, name) : {};
  const code = textAt(error, 'code');
  const message = textAt(error, 'message');
  return code === undefined && message === undefined
    ? undefined
    : [code, message].filter((part) => part !== undefined && part !== '').join(': ');
}

/** The error for an answer about a project that does not name it. */
export function unreadableProject(project: string): SubmitError {
  return new SubmitError('unreadable-answer', {
    happened: `What Vercel answered about the project ${project} does not name it`,
    expected: ["the project's id"],
    remedy: ['Start the step again, and check «project».'],
    link: GUIDE,
  });
}
