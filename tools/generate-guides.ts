import { VERTEX_AI } from '../shared/google/errors.ts';
import { GOOGLE_STS, IMPERSONATION } from '../shared/google/exchange-rejections.ts';
import { type Refusal, type Refusals, textsOf } from '../shared/http/refusal.ts';
import { ASSUME_ROLE, SECRETS_MANAGER } from '../shared/secrets/aws/refusals.ts';
import { ENTRA, KEY_VAULT } from '../shared/secrets/azure/refusals.ts';
import { SECRET_MANAGER } from '../shared/secrets/google/refusals.ts';
import { VAULT_LOGIN, VAULT_READ } from '../shared/secrets/vault/refusals.ts';
import { DATABRICKS } from '../shared/services/databricks/errors.ts';
import { DATABRICKS_EXCHANGE } from '../shared/services/databricks/exchange-rejections.ts';
import { PREFECT } from '../shared/services/prefect/errors.ts';
import { VERCEL } from '../shared/services/vercel/errors.ts';
import { VERCEL_EXCHANGE } from '../shared/services/vercel/exchange-rejections.ts';

/** Every table of refusals, in the order of the guides. */
export const REFUSALS: readonly Refusals[] = [
  GOOGLE_STS,
  IMPERSONATION,
  VERTEX_AI,
  DATABRICKS_EXCHANGE,
  DATABRICKS,
  PREFECT,
  VERCEL_EXCHANGE,
  VERCEL,
  SECRET_MANAGER,
  VAULT_LOGIN,
  VAULT_READ,
  ASSUME_ROLE,
  SECRETS_MANAGER,
  ENTRA,
  KEY_VAULT,
];

/** The generated parts of each guide by name: what can be refused, by the tables that lead to it. */
export function guideSections(): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const guides = Map.groupBy(REFUSALS, ({ link }) => link);
  return new Map([...guides].map(([path, tables]) => [path, new Map([['refusals', refusalsSection(tables)]])]));
}

function refusalsSection(tables: readonly Refusals[]): string {
  const services = [...Map.groupBy(tables, ({ service }) => service)].map(([service, ofService]) => ({
    title: `From ${service}:`,
    table: [
      '| Error | It means | What to do |',
      '| --- | --- | --- |',
      ...ofService.flatMap((refusals) => refusals.table.map((refusal) => row(refusals, refusal))),
    ].join('\n'),
  }));
  const parts = services.flatMap(({ title, table }) => (services.length === 1 ? [table] : [title, table]));
  return ['Words in capitals stand for names and values that the error itself shows.', ...parts].join('\n\n');
}

function row(refusals: Refusals, refusal: Refusal): string {
  const { code, happened, expected, remedy } = textsOf(refusals, refusal);
  const status = refusal.status?.length === 1 ? String(refusal.status[0]) : 'STATUS';
  const named = (text: string) =>
    forReaders(text.replaceAll('{service}', refusals.service).replaceAll('{status}', status));
  const wanted = prose(expected.map(named), ', ');
  const meaning = `${named(happened)}.${wanted === '' ? '' : ` Expected: ${wanted.replace(/\.$/, '')}.`}`;
  const cells = [`\`${code}\``, meaning, prose(remedy.map(named), ' ')].map((text) => text.replaceAll('|', '\\|'));
  return `| ${cells.join(' | ')} |`;
}

const COMMAND = /^(?:aws|az|databricks|gcloud|prefect|vault|vercel) [a-z]/;

/** Lines as one text. What is made for one token is left out, and commands are code. */
function prose(lines: readonly (string | undefined)[], separator: string): string {
  return lines
    .flatMap((line, at) => {
      if (line === undefined) return [];
      if (COMMAND.test(line)) return `\`${line}\``;
      return at + 1 < lines.length && lines[at + 1] === undefined ? line.replace(/(?:,? such as|:)$/, '.') : line;
    })
    .join(separator);
}

/** A text with facts as upper-case words and settings as code; undefined when it is nothing but a fact. */
function forReaders(text: string): string | undefined {
  if (/^\{[a-zA-Z]+\}$/.test(text)) return undefined;
  return text
    .replace(/\{([a-zA-Z]+)\}/g, (_fact, name: string) => name.replace(/[A-Z]/g, '_$&').toUpperCase())
    .replace(/«([\w-]+)»/g, '`$1`');
}
