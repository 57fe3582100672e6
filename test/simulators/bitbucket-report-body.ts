import { isJsonObject, type JsonObject } from './json-object.ts';

export type ReportDataValue = string | number | boolean | { readonly text: string; readonly href: string };

export interface ReportData {
  readonly title: string;
  readonly type?: 'BOOLEAN' | 'DATE' | 'DURATION' | 'LINK' | 'NUMBER' | 'PERCENTAGE' | 'TEXT';
  readonly value: ReportDataValue;
}

/** What a client may write (https://developer.atlassian.com/cloud/bitbucket/rest/api-group-reports/). */
export interface ReportFields {
  readonly type?: 'report';
  readonly title: string;
  readonly details: string;
  readonly report_type: 'SECURITY' | 'COVERAGE' | 'TEST' | 'BUG';
  readonly result?: 'PASSED' | 'FAILED' | 'PENDING';
  readonly external_id?: string;
  readonly reporter?: string;
  readonly link?: string;
  readonly logo_url?: string;
  readonly remote_link_enabled?: boolean;
  readonly data?: readonly ReportData[];
}

/** A stored report, with the fields that Bitbucket adds. */
export interface Report extends ReportFields {
  readonly type: 'report';
  readonly uuid: string;
  readonly external_id: string;
  readonly created_on: string;
  readonly updated_on: string;
}

const REQUIRED = ['title', 'details', 'report_type'];
const MAX_TEXT = 450;
const MAX_DETAILS = 2000;
const MAX_DATA = 10;
const REPORT_TYPES = ['SECURITY', 'COVERAGE', 'TEST', 'BUG'];
const RESULTS = ['PASSED', 'FAILED', 'PENDING'];

/** Each field's rule: the fault in the words of the service, or nothing. */
const FIELD_RULES: Readonly<Record<string, (value: unknown) => string | undefined>> = {
  type: oneOf('type', ['report']),
  title: text('title', MAX_TEXT),
  details: text('details', MAX_DETAILS),
  report_type: oneOf('report_type', REPORT_TYPES),
  result: oneOf('result', RESULTS),
  external_id: text('external_id', MAX_TEXT),
  reporter: text('reporter', MAX_TEXT),
  link: url('link'),
  logo_url: url('logo_url'),
  remote_link_enabled: (value) =>
    typeof value === 'boolean' ? undefined : 'The remote_link_enabled field must be a boolean.',
  data: dataFault,
};

const VALUE_RULES: Readonly<Record<string, (value: unknown) => boolean>> = {
  BOOLEAN: (value) => typeof value === 'boolean',
  DATE: isMilliseconds,
  DURATION: isMilliseconds,
  LINK: (value) => isJsonObject(value) && typeof value.text === 'string' && url('href')(value.href) === undefined,
  NUMBER: (value) => typeof value === 'number',
  PERCENTAGE: (value) => typeof value === 'number' && value >= 0 && value <= 100,
  TEXT: (value) => typeof value === 'string',
};

/** Why the report service refuses this body; undefined where it does not. */
export function reportFault(body: JsonObject | undefined): string | undefined {
  if (body === undefined) return 'The request body is not a JSON object.';
  const missing = REQUIRED.filter((field) => body[field] === undefined || body[field] === null || body[field] === '');
  if (missing.length > 0) return `Cannot build Report, some of required attributes are not set [${missing.join(', ')}]`;
  for (const [field, value] of Object.entries(body)) {
    const rule = FIELD_RULES[field];
    const fault = rule === undefined ? `Unrecognized field "${field}".` : rule(value);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function dataFault(data: unknown): string | undefined {
  if (!Array.isArray(data)) return 'The data field must be a list.';
  if (data.length > MAX_DATA) return `The data field cannot contain more than ${MAX_DATA} elements.`;
  for (const item of data) {
    if (!isJsonObject(item)) return 'Each element of the data field must be an object.';
    const { title, type, value, ...others } = item;
    const unknown = Object.keys(others)[0];
    if (unknown !== undefined) return `Unrecognized field "${unknown}" in the data field.`;
    const fault =
      typeof title === 'string' && title !== '' ? text('title', MAX_TEXT)(title) : 'Each data needs a title.';
    if (fault !== undefined) return fault;
    if (type === undefined ? !isPlain(value) : !(VALUE_RULES[String(type)]?.(value) ?? false)) {
      return `The value of data "${title}" does not fit its type ${String(type)}.`;
    }
  }
  return undefined;
}

function text(field: string, maximum: number): (value: unknown) => string | undefined {
  return (value) => {
    if (typeof value !== 'string') return `The ${field} field must be a string.`;
    return value.length > maximum ? `The ${field} field cannot contain more than ${maximum} characters.` : undefined;
  };
}

function oneOf(field: string, known: readonly string[]): (value: unknown) => string | undefined {
  return (value) =>
    known.some((each) => each === value) ? undefined : `The ${field} field must be one of ${known.join(', ')}.`;
}

/** Only addresses that a reader's browser can open: Bitbucket refuses those of the local machine. */
function url(field: string): (value: unknown) => string | undefined {
  return (value) => {
    const parsed = typeof value === 'string' ? URL.parse(value) : null;
    if (parsed === null || !['http:', 'https:'].includes(parsed.protocol))
      return `The ${field} field is not a valid URL.`;
    const local = parsed.hostname === 'localhost' || parsed.hostname.startsWith('127.') || parsed.hostname === '[::1]';
    return local ? `The ${field} field is not a valid URL.` : undefined;
  };
}

function isMilliseconds(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0;
}

function isPlain(value: unknown): boolean {
  return ['string', 'number', 'boolean'].includes(typeof value);
}
