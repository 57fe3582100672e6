import type { JsonObject } from './json-object.ts';

type Style = 'success' | 'info' | 'warning' | 'error';

/** One annotation as the build page shows it, with all that it was before. */
export interface Annotation {
  readonly context: string;
  readonly scope: 'build' | 'job';
  /** The job that wrote it last. */
  readonly jobId: string;
  readonly body: string;
  readonly style?: Style;
  readonly priority: number;
  /** Bodies in the order they were written, the present one last. */
  readonly bodies: readonly string[];
}

export interface AnnotationRefusal {
  readonly status: 400 | 422;
  readonly message: string;
}

export interface AnnotationStore {
  /** Takes the body of POST /jobs/:id/annotations; returns why it was refused. */
  put(jobId: string, body: JsonObject | undefined): AnnotationRefusal | undefined;
  remove(jobId: string, context: string, scope: string): boolean;
  list(): readonly Annotation[];
}

const STYLES: readonly Style[] = ['success', 'info', 'warning', 'error'];
const FIELDS = ['body', 'context', 'style', 'append', 'priority', 'scope'];
const MAX_BODY_BYTES = 1024 * 1024;
const MAX_CONTEXT_CHARACTERS = 100;
const DEFAULT_CONTEXT = 'default';
const DEFAULT_PRIORITY = 3;

/** The annotations of one build, with the service's limits (https://buildkite.com/docs/agent/cli/reference/annotate). */
export function annotationStore(): AnnotationStore {
  const annotations = new Map<string, Annotation>();
  return {
    put(jobId, request) {
      if (request === undefined) return { status: 400, message: 'Invalid JSON' };
      const fault = fieldFault(request);
      if (fault !== undefined) return { status: 422, message: fault };
      const { body = '', context = DEFAULT_CONTEXT, style, append, priority, scope = 'build' } = request as Fields;
      const before = annotations.get(key(jobId, scope, context));
      if (body === '' && before === undefined) return { status: 422, message: 'The annotation body must not be blank' };
      const text = bodyAfter(before?.body ?? '', body, append ?? false);
      if (Buffer.byteLength(text) > MAX_BODY_BYTES) {
        return { status: 400, message: 'The annotation body must be less than 1 MB' };
      }
      const shownStyle = style ?? before?.style;
      annotations.set(key(jobId, scope, context), {
        context,
        scope,
        jobId,
        body: text,
        ...(shownStyle === undefined ? {} : { style: shownStyle }),
        priority: priority ?? before?.priority ?? DEFAULT_PRIORITY,
        bodies: [...(before?.bodies ?? []), ...(body === '' ? [] : [text])],
      });
      return undefined;
    },
    remove: (jobId, context, scope) => annotations.delete(key(jobId, scope, context)),
    list: () => [...annotations.values()],
  };
}

/** Annotations of the build share their contexts; those of a job have their own. */
function key(jobId: string, scope: string, context: string): string {
  return JSON.stringify([scope, scope === 'job' ? jobId : '', context]);
}

/** Without a body only the style changes. */
function bodyAfter(before: string, body: string, append: boolean): string {
  if (body === '') return before;
  return append ? before + body : body;
}

interface Fields {
  readonly body?: string;
  readonly context?: string;
  readonly style?: Style;
  readonly append?: boolean;
  readonly priority?: number;
  readonly scope?: 'build' | 'job';
}

function fieldFault(request: JsonObject): string | undefined {
  const unknown = Object.keys(request).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined) return `Unknown parameter: ${unknown}`;
  const { body, context, style, append, priority, scope } = request;
  if (body !== undefined && typeof body !== 'string') return 'Body must be a string';
  if (context !== undefined && (typeof context !== 'string' || context.length > MAX_CONTEXT_CHARACTERS)) {
    return `Context is too long (maximum is ${MAX_CONTEXT_CHARACTERS} characters)`;
  }
  if (style !== undefined && !STYLES.some((known) => known === style)) return 'Style is not included in the list';
  if (append !== undefined && typeof append !== 'boolean') return 'Append must be a boolean';
  if (
    priority !== undefined &&
    !(typeof priority === 'number' && Number.isInteger(priority) && priority >= 1 && priority <= 10)
  ) {
    return 'Priority must be between 1 and 10';
  }
  if (scope !== undefined && scope !== 'build' && scope !== 'job') return 'Scope is not included in the list';
  return undefined;
}
