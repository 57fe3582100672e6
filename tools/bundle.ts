import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { type BuildResult, build, type Plugin } from 'esbuild';

const ROOT = join(import.meta.dirname, '..');

const BUNDLES = {
  'buildkite-plugin': { entry: 'buildkite-plugin/main.ts', out: 'buildkite-plugin/dist' },
  pipe: { entry: 'pipe/main.ts', out: 'build/pipe' },
} as const;

/**
 * Bundles a packaging into few files that need no node_modules. What a kind does not need stays in files of its own, unread.
 * The same sources give the same bytes.
 */
export async function bundle(name: keyof typeof BUNDLES, out: string): Promise<void> {
  const result = await build({
    absWorkingDir: ROOT,
    entryPoints: [{ in: BUNDLES[name].entry, out: 'main' }],
    outdir: out,
    outExtension: { '.js': '.mjs' },
    chunkNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    target: 'node22.12',
    legalComments: 'none',
    charset: 'utf8',
    metafile: true,
    write: false,
    logLevel: 'warning',
    plugins: [afterMain(BUNDLES[name].entry)],
    // yaml's module form; what Node would pick is CommonJS, whose names a bundle loses when it is imported on demand.
    alias: { 'node-fetch': './tools/node-fetch.ts', yaml: './node_modules/yaml/browser/index.js' },
    // CommonJS packages call require, which modules lack.
    banner: {
      js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
    },
  });
  await rm(out, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
  for (const file of result.outputFiles) await writeFile(join(out, basename(file.path)), file.contents);
  await writeFile(join(out, 'LICENSES.txt'), await licenses(result));
}

/**
 * What is loaded on demand says that main is loaded by then. Else esbuild would cut main into as many files as there are sets
 * of late modules that share something with it: more with each kind, and each takes longer to open than its code to read.
 */
function afterMain(main: string): Plugin {
  const namespace = 'late';
  const importing = (path: string) => `from ${JSON.stringify(`./${path}`)};`;
  return {
    name: namespace,
    setup: ({ onLoad, onResolve }) => {
      // Paths from the root, since they count in the names of the files.
      onResolve({ filter: /^\./ }, ({ kind, path, resolveDir }) =>
        kind === 'dynamic-import' ? { path: relative(ROOT, join(resolveDir, path)), namespace } : undefined,
      );
      onLoad({ filter: /./, namespace }, ({ path }) => ({
        contents: `import {} ${importing(main)} export * ${importing(path)}`,
        resolveDir: ROOT,
      }));
    },
  };
}

/** The licences of all packages in the bundle, as most of them demand. */
async function licenses({ metafile }: BuildResult<{ metafile: true }>): Promise<string> {
  const folders = new Set<string>();
  for (const input of Object.keys(metafile.inputs)) {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (match?.[1] !== undefined) folders.add(match[1]);
  }
  const parts: string[] = [];
  for (const folder of [...folders].sort()) {
    const about = JSON.parse(await readFile(join(ROOT, folder, 'package.json'), 'utf8')) as About;
    parts.push(`${about.name} ${about.version} (${about.license})\n\n${await licenseText(join(ROOT, folder), about)}`);
  }
  return `${parts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}

interface About {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly author?: string;
}

async function licenseText(folder: string, { author, license }: About): Promise<string> {
  for (const file of ['LICENSE', 'LICENSE.md', 'license', 'LICENSE.txt', 'license.md', 'LICENCE']) {
    const text = await readFile(join(folder, file), 'utf8').catch(() => undefined);
    if (text !== undefined) return `${text.replace(/\r\n/g, '\n').trim()}\n`;
  }
  // Some packages only name their licence; what it demands is its words with the author's name.
  if (license === 'MIT' && author !== undefined) {
    const own = await readFile(join(ROOT, 'LICENSE'), 'utf8');
    return `${own.replace(/^Copyright .*$/m, `Copyright (c) ${author}`).trim()}\n`;
  }
  return `(no licence file in ${basename(dirname(folder))}/${basename(folder)})\n`;
}

if (import.meta.main) {
  const names = Object.keys(BUNDLES) as (keyof typeof BUNDLES)[];
  const wanted = process.argv.slice(2);
  for (const name of names.filter((candidate) => wanted.length === 0 || wanted.includes(candidate))) {
    await bundle(name, join(ROOT, BUNDLES[name].out));
    console.log(`Written: ${BUNDLES[name].out}`);
  }
}
