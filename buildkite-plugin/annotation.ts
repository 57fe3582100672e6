import type { Report, ReportFact } from '../shared/host/report.ts';
import { escapeMarkup, plainLine, plainText } from '../shared/remote-text.ts';

const LIMIT = 60_000;
/** An annotation's colour, and the sign that it begins with. */
const LOOKS: Readonly<Record<Report['state'], { readonly style: string; readonly emoji: string }>> = {
  pending: { style: 'info', emoji: ':hourglass_flowing_sand:' },
  passed: { style: 'success', emoji: ':white_check_mark:' },
  failed: { style: 'error', emoji: ':x:' },
};

/** The colour of an annotation. */
export function annotationStyle({ state }: Report): string {
  return LOOKS[state].style;
}

/** A report as an annotation's body. Everything that is not ours is escaped. https://buildkite.com/docs/agent/cli/reference/annotate */
export function annotationBody(report: Report): string {
  const page = link(report.url, 'open');
  const rows = report.facts.map((fact) => `<tr><td>${text(fact.label)}</td><td>${factValue(fact)}</td></tr>`).join('');
  const remote = (report.remote ?? [])
    .map((line) => plainText(line))
    .join('\n')
    .trim();
  const details =
    remote === ''
      ? ''
      : `\n\n<details><summary>What the service says</summary><pre><code>${escapeMarkup(remote.slice(-LIMIT / 4)).replaceAll('\n', '&#10;')}</code></pre></details>`;
  return `<p>${LOOKS[report.state].emoji} <strong>${text(report.title)}</strong>: ${text(report.summary)}${page === '' ? '' : ` · ${page}`}</p>\n<table>${rows}</table>${details}\n`;
}

function factValue({ value, url }: ReportFact): string {
  return link(url, value) || `<code>${text(value)}</code>`;
}

function link(url: string | undefined, label: string): string {
  return url !== undefined && /^https?:\/\//.test(url) ? `<a href="${escapeMarkup(url)}">${text(label)}</a>` : '';
}

function text(value: string): string {
  return escapeMarkup(plainLine(value, 1_000));
}
