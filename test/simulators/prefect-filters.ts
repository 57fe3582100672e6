import { isJsonObject, type JsonObject } from './json-object.ts';
import {
  boolean,
  dateTime,
  type Fields,
  integer,
  list,
  model,
  nullable,
  optional,
  type Shape,
  string,
  uuid,
  word,
} from './prefect-shapes.ts';

/** The filters of the API's `/filter` routes (https://docs.prefect.io/v3/api-ref/rest-api/server): fields, each with some operators. */

type Operator =
  | 'any_'
  | 'not_any_'
  | 'all_'
  | 'like_'
  | 'startswith_'
  | 'is_null_'
  | 'exists_'
  | 'eq_'
  | 'ge_'
  | 'le_'
  | 'before_'
  | 'after_';

interface FilterField {
  readonly of: Shape;
  readonly operators: readonly Operator[];
}

/** One kind of filter: its fields by name; a field within another is written `state.type`. */
export type FilterKind = Readonly<Record<string, FilterField>>;

const ids = (...operators: Operator[]): FilterField => ({ of: uuid, operators });
const words = (...operators: Operator[]): FilterField => ({ of: string, operators });
const times = (...operators: Operator[]): FilterField => ({ of: dateTime, operators });

export const FLOW_FILTER: FilterKind = {
  id: ids('any_', 'not_any_'),
  name: words('any_', 'like_'),
  tags: words('all_', 'is_null_'),
};

export const DEPLOYMENT_FILTER: FilterKind = {
  id: ids('any_', 'not_any_'),
  name: words('any_', 'like_'),
  paused: { of: boolean, operators: ['eq_'] },
  tags: words('all_', 'any_', 'is_null_'),
  work_queue_name: words('any_'),
};

export const FLOW_RUN_FILTER: FilterKind = {
  id: ids('any_', 'not_any_'),
  name: words('any_', 'like_'),
  tags: words('all_', 'any_', 'is_null_'),
  deployment_id: ids('any_', 'is_null_'),
  work_queue_name: words('any_', 'is_null_'),
  'state.type': words('any_', 'not_any_'),
  'state.name': words('any_', 'not_any_'),
  start_time: times('before_', 'after_', 'is_null_'),
  end_time: times('before_', 'after_', 'is_null_'),
  expected_start_time: times('before_', 'after_'),
  next_scheduled_start_time: times('before_', 'after_'),
  parent_task_run_id: ids('any_', 'is_null_'),
  idempotency_key: words('any_', 'not_any_'),
};

export const LOG_FILTER: FilterKind = {
  level: { of: integer(), operators: ['ge_', 'le_'] },
  timestamp: times('before_', 'after_'),
  flow_run_id: ids('any_'),
  task_run_id: ids('any_', 'is_null_'),
};

export const ARTIFACT_FILTER: FilterKind = {
  id: ids('any_'),
  key: words('any_', 'like_', 'exists_'),
  flow_run_id: ids('any_'),
  task_run_id: ids('any_'),
  type: words('any_', 'not_any_'),
};

const { id: latestId, ...artifactFields } = ARTIFACT_FILTER;
export const LATEST_ARTIFACT_FILTER: FilterKind = { ...artifactFields, latest_id: latestId ?? ids('any_') };

export const WORKER_FILTER: FilterKind = {
  status: words('any_', 'not_any_'),
  last_heartbeat_time: times('before_', 'after_'),
};

export const WORK_QUEUE_FILTER: FilterKind = { id: ids('any_'), name: words('any_', 'startswith_') };

const OPERATOR = { operator: optional(word(['and_', 'or_'])) };

/** The shape of a filter in a request. */
export function filterShape(kind: FilterKind): Shape {
  const fields: Record<string, Fields[string]> = { ...OPERATOR };
  const nested: Record<string, Record<string, Fields[string]>> = {};
  for (const [name, { of, operators }] of Object.entries(kind)) {
    const [outer = name, inner] = name.split('.');
    const shape = optional(nullable(model({ ...OPERATOR, ...operandShapes(of, operators) })));
    if (inner === undefined) fields[outer] = shape;
    else nested[outer] = { ...nested[outer], [inner]: shape };
  }
  for (const [outer, inner] of Object.entries(nested)) {
    fields[outer] = optional(nullable(model({ ...OPERATOR, ...inner })));
  }
  return model(fields);
}

/** Whether a row, in the form in which the API shows it, passes a filter. */
export function passes(row: JsonObject, filter: unknown): boolean {
  if (!isJsonObject(filter)) return true;
  const criteria = Object.entries(filter).filter(([name, value]) => name !== 'operator' && value !== null);
  const results = criteria.map(([name, condition]) => {
    const value = row[name];
    if (!isJsonObject(condition)) return true;
    if (isJsonObject(value) && !isOperators(condition)) return passes(value, condition);
    return meets(value, condition);
  });
  return filter.operator === 'or_' ? results.some(Boolean) : results.every(Boolean);
}

function operandShapes(of: Shape, operators: readonly Operator[]): Fields {
  return Object.fromEntries(
    operators.map((operator) => {
      if (operator === 'is_null_' || operator === 'exists_') return [operator, optional(nullable(boolean))];
      const many = operator === 'any_' || operator === 'not_any_' || operator === 'all_';
      return [operator, optional(nullable(many ? list(of) : of))];
    }),
  );
}

function isOperators(condition: JsonObject): boolean {
  return Object.keys(condition).some((key) => key.endsWith('_'));
}

function meets(value: unknown, condition: JsonObject): boolean {
  return Object.entries(condition)
    .filter(([operator, operand]) => operator !== 'operator' && operand !== null)
    .every(([operator, operand]) => holds(value, operator as Operator, operand));
}

function holds(value: unknown, operator: Operator, operand: unknown): boolean {
  const values = Array.isArray(value) ? value : [value];
  const operands = Array.isArray(operand) ? operand : [operand];
  switch (operator) {
    case 'any_':
      return values.some((item) => operands.includes(item));
    case 'not_any_':
      return !values.some((item) => operands.includes(item));
    case 'all_':
      return operands.every((item) => values.includes(item));
    case 'like_':
      return String(value).toLowerCase().includes(String(operand).toLowerCase());
    case 'startswith_':
      return String(value).startsWith(String(operand));
    case 'is_null_':
      return (value === null || (Array.isArray(value) && value.length === 0)) === operand;
    case 'exists_':
      return (value !== null) === operand;
    case 'eq_':
      return value === operand;
    case 'ge_':
      return Number(value) >= Number(operand);
    case 'le_':
      return Number(value) <= Number(operand);
    case 'before_':
      return value !== null && Date.parse(String(value)) <= Date.parse(String(operand));
    case 'after_':
      return value !== null && Date.parse(String(value)) >= Date.parse(String(operand));
  }
}
