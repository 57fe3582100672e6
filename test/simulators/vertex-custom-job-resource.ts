import type { CustomJob } from './vertex-custom-job-rules.ts';
import type { LifeView } from './vertex-job-life.ts';

/** A custom job as the service answers it: what was asked for, with the output-only fields as far as they have a value. */
export function customJobResource(
  { name, createdAt, job }: { readonly name: string; readonly createdAt: number; readonly job: CustomJob },
  { state, error, startTime, endTime, updateTime }: LifeView,
): Record<string, unknown> {
  return {
    name,
    ...job,
    ...(state === undefined ? {} : { state }),
    createTime: timestamp(createdAt),
    ...(startTime === undefined ? {} : { startTime: timestamp(startTime) }),
    ...(endTime === undefined ? {} : { endTime: timestamp(endTime) }),
    updateTime: timestamp(updateTime),
    ...(error === undefined ? {} : { error }),
  };
}

function timestamp(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
