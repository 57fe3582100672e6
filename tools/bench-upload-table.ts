import type { Upload } from './bench-upload-measure.ts';
import type { OutputSize } from './bench-upload-output.ts';

/** What is measured, in this order: the second finds the files of the first. */
export type Condition = 'cold' | 'warm' | 'far';

export interface UploadResults {
  readonly machine: string;
  readonly rounds: number;
  readonly roundTripMs: number;
  readonly size: OutputSize;
  readonly deployers: readonly { readonly title: string; readonly medians: Readonly<Record<Condition, Upload>> }[];
}

/** What all others are compared with. */
const MEASURE = 'Vercel CLI';

/** The results as a Markdown document. */
export function uploadMarkdown({ machine, rounds, roundTripMs, size, deployers }: UploadResults): string {
  const headings: Readonly<Record<Condition, string>> = {
    cold: 'The service has none of the files, and answers at once',
    warm: 'It has all of them',
    far: `It has none of them, ${roundTripMs} ms a round trip`,
  };
  const cli = deployers.find(({ title }) => title === MEASURE);
  const rows = ([condition, heading]: [Condition, string]) => [
    `| **${heading}** | | | | | | | |`,
    ...deployers.map(({ title, medians }) => {
      const own = medians[condition];
      const measure = title === MEASURE ? undefined : cli?.medians[condition];
      const ratio = (figure: 'seconds' | 'cpuSeconds' | 'peakMib') =>
        measure === undefined ? '' : `, ${(own[figure] / measure[figure]).toFixed(2)} ×`;
      const cells = [
        `${own.seconds.toFixed(1)} s${ratio('seconds')}`,
        `${own.cpuSeconds.toFixed(1)} s${ratio('cpuSeconds')}`,
        `${own.peakMib.toFixed(0)} MiB${ratio('peakMib')}`,
        own.requests,
        own.uploads,
        `${(own.bytes / 1e6).toFixed(1)} MB`,
        // Where answers come at once, there is hardly ever one to wait for.
        condition === 'far' ? own.mostParallel : '-',
      ];
      return `| ${title} | ${cells.join(' | ')} |`;
    }),
    ...(cli === undefined
      ? [`| ${MEASURE} | not installed: run \`test/peers/install-vercel-cli.sh\` | | | | | | |`]
      : []),
  ];
  return [
    `${machine}. ${size.files} files, ${size.bytes / 1e6} MB; medians of ${rounds} rounds, all side by side, each figure a whole process; × is against the ${MEASURE}.`,
    '',
    '| | Time | Processor time | Peak memory | Requests | Uploads | Uploaded | At once, at most |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...(Object.entries(headings) as [Condition, string][]).flatMap(rows),
  ].join('\n');
}
