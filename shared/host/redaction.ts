import type { Secret } from '../secret.ts';
import type { Host, Log } from './host.ts';
import type { Report } from './report.ts';
import { createSecretIndex, type Ranges } from './secret-index.ts';

const REDACTED = '[redacted]';
/** How much of what was printed last is kept to recognise the rest of a secret by, in UTF-16 units. */
const KEPT = 1_000;

/**
 * The host, with every token that passes through it taken out of whatever is printed, reported or published afterwards, in whatever
 * form a service or a proxy quotes it. It is looked for as it will look: without control sequences.
 */
export function withRedaction(host: Host): Host {
  const secrets = createSecretIndex();
  /** What the CI was told to hide: that is a process for each time. */
  const told = new Set<string>();
  const { log } = host;
  const clean = (text: string): string => without(secrets.find(text), text);

  /** Cleans texts that are read one after the other: the beginning of a secret may stand in one, its rest in the next. */
  const stream = (): ((text: string) => string) => {
    let before = '';
    return (text) => {
      const whole = `${before}\n${text}`;
      const at = before.length + 1;
      before = whole.slice(-KEPT);
      const ranges = secrets.find(whole).filter(({ to }) => to > at);
      return without(
        ranges.map(({ from, to }) => ({ from: Math.max(from - at, 0), to: to - at })),
        text,
      );
    };
  };

  const ownLines = stream();
  const remoteLines = stream();
  const cleanLog: Log = {
    section: (kind, title) => log.section(kind, ownLines(title)),
    info: (line) => log.info(ownLines(line)),
    success: (line) => log.success(ownLines(line)),
    warning: (line) => log.warning(ownLines(line)),
    error: (line) => log.error(ownLines(line)),
    debug: (line) => log.debug(ownLines(line)),
    remote: (lines) => {
      if (lines.length > 0) log.remote(remoteLines(lines.join('\n')).split('\n'));
    },
    // Before it becomes a control sequence, of which a part would be no text.
    link: (url) => log.link(clean(url)),
  };
  return {
    ...host,
    log: cleanLog,
    subjectTokens: {
      ...host.subjectTokens,
      getSubjectToken: async (request) => {
        const token = await host.subjectTokens.getSubjectToken(request);
        secrets.learn(token.reveal());
        return token;
      },
    },
    conceal: async (concealed: readonly Secret[]) => {
      const unheard = concealed.filter((secret) => !told.has(secret.reveal()));
      for (const secret of unheard) {
        told.add(secret.reveal());
        secrets.learn(secret.reveal());
      }
      if (unheard.length > 0) await host.conceal(unheard);
    },
    report: (report, key) => host.report(cleanReport(report, stream()), key),
    publish: (outputs, stage, key) => {
      // An id was accepted in its service's own form only, and a later step needs it as it is.
      const cleaned = Object.entries(outputs).map(([name, value]) => [name, name === 'id' ? value : clean(value)]);
      return host.publish(Object.fromEntries(cleaned), stage, key);
    },
  };
}

/** Reports show the beginning or the end of a text, and less of either than this. */
const SHOWN_OF_REPORT = 20_000;

/** Both ends of a text: looking through megabytes that no report shows would hold up everything else. */
function ends(text: string): string {
  return text.length <= 2 * SHOWN_OF_REPORT
    ? text
    : `${text.slice(0, SHOWN_OF_REPORT)}\n…\n${text.slice(-SHOWN_OF_REPORT)}`;
}

/** A report's parts in the order in which they are shown. */
function cleanReport({ title, summary, url, facts, remote, ...rest }: Report, look: (text: string) => string): Report {
  const clean = (text: string) => look(ends(text));
  const link = (address: string | undefined) => (address === undefined ? {} : { url: clean(address) });
  return {
    ...rest,
    title: clean(title),
    summary: clean(summary),
    ...link(url),
    facts: facts.map((fact) => ({ label: clean(fact.label), value: clean(fact.value), ...link(fact.url) })),
    ...(remote === undefined ? {} : { remote: clean(remote.join('\n')).split('\n') }),
  };
}

function without(ranges: Ranges, text: string): string {
  const parts: string[] = [];
  let done = 0;
  for (const { from, to } of ranges) {
    parts.push(text.slice(done, from), REDACTED);
    done = to;
  }
  return [...parts, text.slice(done)].join('');
}
