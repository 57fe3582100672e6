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
  const beginnings = new Set<string>();
  const words = new Set<string>();
  const learn = (secret: Secret): void => {
    const value = secret.reveal();
    const parts = value.split('.').filter((part) => part.length >= BEGINNING);
    for (const part of parts) beginnings.add(part.slice(0, BEGINNING));
    if (parts.length === 0 && value.length >= SHORTEST) words.add(value);
  };
  const clean = (text: string): string => {
    let cleaned = text.replace(JSON_WEB_TOKEN, REDACTED);
    for (const word of words) cleaned = cleaned.replaceAll(word, REDACTED);
    for (const beginning of beginnings) {
      for (let at = cleaned.indexOf(beginning); at >= 0; at = cleaned.indexOf(beginning)) {
        // Whatever the token's alphabet is, it ends where a message goes on.
        const rest = cleaned.slice(at + BEGINNING).replace(/^[^\s"'<>,;\u2026]*/, '');
        cleaned = cleaned.slice(0, at) + REDACTED + rest;
      }
    }
    return cleaned;
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
  const cleanReport = (report: Report): Report => ({
    ...report,
    summary: clean(report.summary),
    facts: report.facts.map((fact) => ({ ...fact, value: clean(fact.value) })),
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
      for (const secret of secrets) learn(secret);
      await host.conceal(secrets);
    },
    report: (report) => host.report(cleanReport(report)),
    publish: (outputs, stage) => host.publish(cleanOutputs(outputs, clean), stage),
  };
}

function cleanOutputs(outputs: Outputs, clean: (text: string) => string): Outputs {
  return Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, clean(value)]));
}
