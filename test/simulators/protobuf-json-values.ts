const INTEGERS: Readonly<Record<string, readonly [min: bigint, max: bigint]>> = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

const SCALARS = ['string', 'bool', 'bytes', 'float', 'double', ...Object.keys(INTEGERS)];

/** Whether a field's type is a scalar one. */
export function isScalar(type: string): boolean {
  return SCALARS.includes(type);
}

/** Whether a JSON value may stand for a scalar (https://protobuf.dev/programming-guides/json/#field-representation). */
export function scalarFits(type: string, value: unknown): boolean {
  const range = INTEGERS[type];
  if (range !== undefined) {
    const integer = toInteger(value);
    return integer !== undefined && integer >= range[0] && integer <= range[1];
  }
  switch (type) {
    case 'string':
      return typeof value === 'string';
    case 'bool':
      return typeof value === 'boolean';
    case 'bytes':
      return typeof value === 'string' && /^[A-Za-z0-9+/_-]*={0,2}$/.test(value);
    default:
      return (
        typeof value === 'number' ||
        (typeof value === 'string' && /^(NaN|-?Infinity|-?\d+(\.\d+)?([eE][+-]?\d+)?)$/.test(value))
      );
  }
}

const WRAPPERS: Readonly<Record<string, string>> = {
  'google.protobuf.BoolValue': 'bool',
  'google.protobuf.BytesValue': 'bytes',
  'google.protobuf.DoubleValue': 'double',
  'google.protobuf.FloatValue': 'float',
  'google.protobuf.Int32Value': 'int32',
  'google.protobuf.Int64Value': 'int64',
  'google.protobuf.StringValue': 'string',
  'google.protobuf.UInt32Value': 'uint32',
  'google.protobuf.UInt64Value': 'uint64',
};

const MAX_DURATION_SECONDS = 315_576_000_000;

/** Whether a type has a JSON form of its own, which is not that of its fields. */
export function isWellKnown(type: string): boolean {
  return type in WRAPPERS || /^google\.protobuf\.(Duration|Timestamp|FieldMask|Struct|ListValue|Value|Any)$/.test(type);
}

/** What is wrong with a value of a type that has a JSON form of its own; '' for nothing, undefined for any other type. */
export function wellKnownFault(type: string, value: unknown): string | undefined {
  if (!isWellKnown(type)) return undefined;
  const wrapped = WRAPPERS[type];
  if (wrapped !== undefined) return scalarFits(wrapped, value) ? '' : 'Invalid value';
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  switch (type) {
    case 'google.protobuf.Duration':
      return durationFault(value);
    case 'google.protobuf.Timestamp':
      return isTimestamp(value) ? '' : 'Invalid time format: Failed to parse input';
    case 'google.protobuf.FieldMask':
      return typeof value === 'string' ? '' : 'Invalid field mask';
    case 'google.protobuf.Struct':
      return isObject ? '' : 'Not a JSON object';
    case 'google.protobuf.ListValue':
      return Array.isArray(value) ? '' : 'Not a JSON array';
    case 'google.protobuf.Any':
      return isObject && '@type' in value ? '' : 'Missing @type';
    default:
      return '';
  }
}

/** The seconds of a duration such as `3600s`; undefined where it is none. */
export function durationSeconds(value: unknown): number | undefined {
  return durationFault(value) === '' ? Number.parseFloat(String(value)) : undefined;
}

function durationFault(value: unknown): string {
  if (typeof value !== 'string' || !value.endsWith('s')) return "Illegal duration format; duration must end with 's'";
  if (!/^-?\d+(\.\d{1,9})?s$/.test(value)) return 'Invalid duration format, failed to parse seconds';
  return Math.abs(Number.parseFloat(value)) > MAX_DURATION_SECONDS ? 'Duration value exceeds limits' : '';
}

function isTimestamp(value: unknown): boolean {
  return (
    typeof value === 'string' &&
    /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/.test(value) &&
    !Number.isNaN(Date.parse(value))
  );
}

function toInteger(value: unknown): bigint | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined;
  return typeof value === 'string' && /^-?\d+$/.test(value) ? BigInt(value) : undefined;
}
