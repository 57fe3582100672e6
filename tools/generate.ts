import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { guideSections } from './generate-guides.ts';
import { editorSchema, pipeYaml, pluginYaml } from './generate-metadata.ts';
import { readmeSections } from './generate-readme.ts';
import { kindSettingsJson } from './kinds.ts';

const ROOT = join(import.meta.dirname, '..');

/** Every generated file with its text; documents keep what is outside of their markers. */
export async function generate(): Promise<ReadonlyMap<string, string>> {
  const documents = [['README.md', readmeSections()] as const, ...guideSections()].map(
    async ([path, sections]) => [path, replaceSections(await readFile(join(ROOT, path), 'utf8'), sections)] as const,
  );
  return new Map([
    ['plugin.yml', pluginYaml()],
    ['pipe.yml', pipeYaml()],
    ['schema/plugin-configuration.schema.json', editorSchema()],
    ['shared/services/kind-settings.json', kindSettingsJson()],
    ...(await Promise.all(documents)),
  ]);
}

/** The files whose text on disk is not what would be generated. */
export async function staleFiles(): Promise<readonly string[]> {
  const stale: string[] = [];
  for (const [path, text] of await generate()) {
    const current = await readFile(join(ROOT, path), 'utf8').catch(() => undefined);
    if (current !== text) stale.push(path);
  }
  return stale;
}

/**
 * Replaces what stands between `<!-- generated: NAME -->` and `<!-- end -->`.
 * @throws Error when a section has no place, or a place no section.
 */
export function replaceSections(text: string, sections: ReadonlyMap<string, string>): string {
  const placed = new Set<string>();
  const result = text.replace(
    /(<!-- generated: ([\w-]+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_all, start: string, name: string, end: string) => {
      const section = sections.get(name);
      if (section === undefined) throw new Error(`There is a place for ${name}, which is not generated`);
      placed.add(name);
      return `${start}\n${section.trim()}\n\n${end}`;
    },
  );
  const missing = [...sections.keys()].filter((name) => !placed.has(name));
  if (missing.length > 0) throw new Error(`There is no place for ${missing.join(', ')}`);
  return result;
}

if (import.meta.main) {
  if (process.argv.includes('--check')) {
    const stale = await staleFiles();
    if (stale.length > 0) {
      console.error(`Stale: ${stale.join(', ')}. Run: npm run generate`);
      process.exitCode = 1;
    }
  } else {
    const stale = await staleFiles();
    for (const [path, text] of await generate()) await writeFile(join(ROOT, path), text);
    console.log(stale.length > 0 ? `Written: ${stale.join(', ')}` : 'Everything was up to date');
  }
}
