import { SubmitError } from '../../errors.ts';
import { type Answer, type HttpCall, unreadable } from '../../http/http.ts';
import { refusalError, refusals } from '../../http/refusal.ts';
import { isObject, type JsonObject, objectAt, stringifyJson, textAt } from '../../json.ts';
import { plainLine } from '../../remote-text.ts';
import { vercelError } from './api.ts';
import type { VercelTrust } from './trust.ts';

export const GUIDE = 'docs/vercel.md';

/** Plan limits: waiting a little does not help. */
const CAPACITY = /^(?:builds_rate_limited|.*_limit_exceeded|payment_required|.*quota.*)$/;

/** What the REST API says. https://vercel.com/docs/rest-api/errors */
export const VERCEL = refusals('Vercel', GUIDE, 'request-rejected', [
  {
    if: 'isTokenRefused',
    code: 'credential-rejected',
    happened: 'Vercel does not accept the token',
    remedy: [
      'A token of your own («token», or what «secret-from» names for it): check that it has not expired and is the one that is meant.',
      'A token of the exchange: retry the step.',
    ],
  },
  {
    status: [403],
    if: 'wantsSaml',
    code: 'permission-denied',
    happened: 'Team {team} demands a sign-in by SAML, which this token did not come from',
    remedy: [
      "Use the exchange under the team's OIDC policy, or make the token again while signed in by SAML, with the team as its scope.",
    ],
  },
  {
    status: [403],
    code: 'permission-denied',
    happened: 'The identity may not do this in team {team}',
    expected: ['a policy or a token of this team whose projects include this one, with the permission to deploy'],
    remedy: [
      "Check «team» and «project», the policy's resources and permissions, and the scope of a token.",
      'A policy that is for one project only may refuse to upload files, which belong to the team; then leave its resources unbounded.',
    ],
  },
  {
    if: 'isCapacity',
    code: 'quota-exceeded',
    happened: "A limit of the team's plan does not allow it",
    remedy: ['Wait until the limit resets, or change the plan.'],
  },
  {
    status: [404],
    if: 'isProject',
    code: 'not-found',
    happened: 'Team {team} has no project {project}, or the identity may not see it',
    remedy: ["Check «project» and «team», and that the project is among the policy's resources."],
  },
  {
    status: [404],
    if: 'isDeployment',
    code: 'not-found',
    happened: 'Vercel: deployment not found (404)',
    remedy: [
      'Check «project», «team» and the deployment that is named. Deployments that retention has removed are gone.',
    ],
  },
  {
    status: [404],
    code: 'not-found',
    happened: 'Vercel: not found in team {team} (404)',
    remedy: ['Check «project» and «team».'],
  },
  {
    status: [413],
    happened: 'The request is too large for Vercel (413)',
    remedy: ['Leave out of the build what is not served; the sizes were printed before.'],
  },
  {
    status: [409],
    happened: 'Conflict with the current state or a change in progress (409)',
    remedy: ['If another change of production is in progress, retry the step when it is over.'],
  },
  {},
]);

/** What a refusal of Vercel's API means. */
export function explainVercel(trust: VercelTrust, identity: string, call: HttpCall, answer: Answer): SubmitError {
  const error = vercelError(answer);
  const code = textAt(error, 'code') ?? '';
  const message = textAt(error, 'message') ?? '';
  if (code === '' && message === '') return unreadable(call.url, answer);
  const { status } = answer;
  const { team, project } = trust;
  const { host, pathname } = new URL(call.url);
  return refusalError(VERCEL, {
    status,
    words: `${code === '' ? status : code}: ${message}${details(error)}`,
    presented: [`${call.method} ${host}${pathname}`, `identity ${identity}`, `team ${team}`, `project ${project}`],
    team,
    project,
    isTokenRefused: status === 401 || error.missingToken === true || error.invalidToken === true,
    wantsSaml: error.saml === true,
    isCapacity: status === 402 || isVercelCapacity(answer),
    isProject: /^\/v9\/projects\/[^/]+$/.test(pathname),
    isDeployment: /deployment/i.test(`${code} ${message}`),
  });
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
    remedy: ['Retry the step, and check «project».'],
    link: GUIDE,
  });
}
