import type { Ci } from '../test/contract/kind-samples.ts';
import type { BenchCase } from './bench-cases.ts';

/** Medians of one kind in one packaging. */
export interface CaseResults extends Pick<BenchCase, 'kind' | 'ci' | 'roundTrips'> {
  readonly firstByteMs: number;
  /** Start to job accepted, with services that answer at once. */
  readonly nearMs: number;
  /** The same with a network between. */
  readonly farMs: number;
  readonly peakMib: number;
  readonly loadedBytes: number;
}

export interface BenchResults {
  readonly machine: string;
  readonly rounds: number;
  readonly roundTripMs: number;
  readonly emptyMs: number;
  readonly emptyMib: number;
  readonly agentMs: number;
  readonly totalBytes: Readonly<Record<Ci, number>>;
  readonly cases: readonly CaseResults[];
}

/** What is aimed at, as ratios, so that it holds on any machine. */
const AIMS = {
  nearRatio: { 'vertex-custom-job': 6, 'databricks-submit-run': 4, 'databricks-run-now': 4 } as Readonly<
    Record<string, number>
  >,
  farRatio: 1.15,
  peakMib: 90,
};

/** The results as a Markdown document. */
export function markdown(results: BenchResults): string {
  const { machine, rounds, roundTripMs, emptyMs, emptyMib, agentMs, totalBytes, cases } = results;
  const kinds = [...new Set(cases.map(({ kind }) => kind))];
  const row = (label: string, cell: (ci: Ci) => string, aim = '') =>
    `| ${label} | ${cell('bitbucket')} | ${cell('buildkite')} | ${aim} |`;
  const rowsOfKinds = (cell: (each: CaseResults) => string, aim?: (kind: string) => string) =>
    kinds.map((kind) =>
      row(
        `\`${kind}\``,
        (ci) =>
          cases
            .filter((each) => each.kind === kind && each.ci === ci)
            .map(cell)
            .join() || '-',
        aim?.(kind),
      ),
    );
  const timesEmpty = (ms: number, aim?: number) => `${ms.toFixed(0)} ms, ${judged(ms / emptyMs, 1, ' ×', aim)}`;
  const heading = (text: string) => `| **${text}** | | | |`;

  return [
    `${machine}. Medians of ${rounds} rounds, all side by side, each figure a whole process; × is against an empty Node process.`,
    '',
    '| | Bitbucket pipe | Buildkite plugin | Aim |',
    '| --- | --- | --- | --- |',
    row('An empty Node process', () => `${emptyMs.toFixed(0)} ms`),
    row('One call of the stand-in for `buildkite-agent`', (ci) =>
      ci === 'bitbucket' ? '-' : `${agentMs.toFixed(1)} ms`,
    ),
    heading('Start to the first byte sent to a service'),
    ...rowsOfKinds(({ firstByteMs }) => timesEmpty(firstByteMs)),
    heading('Start to job accepted, services that answer at once'),
    ...rowsOfKinds(
      ({ kind, nearMs }) => timesEmpty(nearMs, AIMS.nearRatio[kind]),
      (kind) => (AIMS.nearRatio[kind] === undefined ? '' : `${AIMS.nearRatio[kind]} ×`),
    ),
    heading(`Start to job accepted, ${roundTripMs} ms a round trip, against the time above plus its round trips`),
    ...rowsOfKinds(
      ({ farMs, nearMs, roundTrips }) => {
        const least = nearMs + roundTrips * roundTripMs;
        return `${farMs.toFixed(0)} of ${least.toFixed(0)} ms, ${judged(farMs / least, 2, ' ×', AIMS.farRatio)}`;
      },
      () => `${AIMS.farRatio} ×`,
    ),
    heading('Peak memory'),
    row('An empty Node process', () => `${emptyMib.toFixed(0)} MiB`),
    ...rowsOfKinds(
      ({ peakMib }) => judged(peakMib, 0, ' MiB', AIMS.peakMib),
      () => `${AIMS.peakMib} MiB`,
    ),
    heading('Bundle'),
    row('On disk', (ci) => kib(totalBytes[ci])),
    ...rowsOfKinds(({ loadedBytes }) => `${kib(loadedBytes)} loaded`),
  ].join('\n');
}

function judged(value: number, digits: number, unit: string, aim?: number): string {
  return `${value.toFixed(digits)}${unit}${aim !== undefined && value > aim ? ' ✖' : ''}`;
}

function kib(bytes: number): string {
  return `${(bytes / 1024).toFixed(0)} KiB`;
}
