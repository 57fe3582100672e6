import type { Host, Log, Outputs } from './host.ts';
import type { Report } from './report.ts';
import type { Secret } from './secret.ts';

const REDACTED = '[redacted]';
/** A token that is cut, as messages are, is known by its beginning. */
const BEGINNING = 16;
/** Shorter ones could be any word. */
const SHORTEST = 4;
const JSON_WEB_TOKEN = /eyJ[\w-]{12,}(?:\.[\w-]*)*/g;

/**
 * The host, with every token that passes through it taken out of whatever is printed, reported or published afterwards.
 * Nothing of ours prints a token; a service or a proxy may quote what it was sent.
 */
export function withRedaction(host: Host): Host {
  let words: readonly string[] = [];
  /** What the CI was told to hide: that is a process for each time. */
  const told = new Set<string>();
  /** Texts whose beginning tells that they are cut, by that beginning. */
  const known = new Map<string, readonly string[]>();
  const learn = (secret: Secret): void => {
    const forms = formsOf(secret.reveal()).filter((form) => form.length >= SHORTEST);
    // The longest first: what begins or ends another would leave the rest of it.
    words = [...new Set([...words, ...forms])].sort((one, other) => other.length - one.length);
    for (const text of forms.flatMap(quotable)) {
      const beginning = text.slice(0, BEGINNING);
      known.set(beginning, [...new Set([...(known.get(beginning) ?? []), text])]);
    }
  };
  const clean = (text: string): string => {
    let cleaned = text;
    for (const word of words) cleaned = cleaned.replaceAll(word, REDACTED);
    for (const [beginning, texts] of known) {
      for (let at = cleaned.indexOf(beginning); at >= 0; at = cleaned.indexOf(beginning)) {
        const found = cleaned.slice(at);
        const length = Math.max(...texts.map((whole) => sharedLength(found, whole)));
        // Whatever the token's alphabet is, it ends where a message goes on.
        const rest = found.slice(length).replace(/^[^\s"'<>,;\u2026]*/, '');
        cleaned = cleaned.slice(0, at) + REDACTED + rest;
      }
    }
    // Last: a secret may hold what looks like the beginning of one.
    return cleaned.replace(JSON_WEB_TOKEN, REDACTED);
  };
  const { log } = host;
  const cleanLog: Log = {
    section: (title) => log.section(clean(title)),
    info: (line) => log.info(clean(line)),
    success: (line) => log.success(clean(line)),
    warning: (line) => log.warning(clean(line)),
    error: (line) => log.error(clean(line)),
    debug: (line) => log.debug(clean(line)),
    remote: (lines) => log.remote(lines.map(clean)),
    link: log.link,
  };
  const cleanUrl = (url: string | undefined) => (url === undefined ? {} : { url: clean(url) });
  const cleanReport = (report: Report): Report => ({
    ...report,
    title: clean(report.title),
    summary: clean(report.summary),
    ...cleanUrl(report.url),
    facts: report.facts.map(({ label, value, url }) => ({
      label: clean(label),
      value: clean(value),
      ...cleanUrl(url),
    })),
    ...(report.remote === undefined ? {} : { remote: report.remote.map(clean) }),
  });
  return {
    ...host,
    log: cleanLog,
    subjectTokens: {
      ...host.subjectTokens,
      getSubjectToken: async (request) => {
        const token = await host.subjectTokens.getSubjectToken(request);
        learn(token);
        return token;
      },
    },
    conceal: async (secrets) => {
      const unheard = secrets.filter((secret) => !told.has(secret.reveal()));
      for (const secret of unheard) {
        told.add(secret.reveal());
        learn(secret);
      }
      if (unheard.length > 0) await host.conceal(unheard);
    },
    report: (report, key) => host.report(cleanReport(report), key),
    publish: (outputs, stage, key) => host.publish(cleanOutputs(outputs, clean), stage, key),
  };
}

/** A secret as it is, on one line, and as services quote it: in JSON, in an address or a form, in a page. */
function formsOf(value: string): readonly string[] {
  const json = JSON.stringify(value).slice(1, -1);
  return [
    value,
    value.replace(/\s+/g, ' '),
    json,
    json.replaceAll('/', '\\/'),
    encodeURIComponent(value.toWellFormed()),
    new URLSearchParams({ value }).toString().slice('value='.length),
    value.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character),
  ];
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** What a message may begin with that quotes a part of a token: the whole, and each part of a token of several. */
function quotable(token: string): readonly string[] {
  const parts = token.split('.');
  return parts
    .map((_part, index) => parts.slice(index).join('.'))
    .filter((text, index) => text.length >= BEGINNING && (index === 0 || (parts[index]?.length ?? 0) >= BEGINNING));
}

function sharedLength(one: string, other: string): number {
  let length = 0;
  while (length < other.length && one[length] === other[length]) length += 1;
  return length;
}

function cleanOutputs(outputs: Outputs, clean: (text: string) => string): Outputs {
  return Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, clean(value)]));
}
