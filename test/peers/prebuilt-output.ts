import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type NewTree, writeTree } from '../e2e/folders.ts';

/** A checkout with a build in it that has something of everything. https://vercel.com/docs/build-output-api */
const FILES: NewTree = {
  '.gitignore': '.vercel\nnode_modules\n.keyless-submit\n',
  '.vercel/output/config.json': JSON.stringify({
    version: 3,
    routes: [
      { src: '/(.*)', middlewarePath: '_middleware', continue: true },
      { src: '/old/(.*)', status: 308, headers: { Location: '/$1' } },
      { handle: 'filesystem' },
      { src: '/(.*)', status: 404, dest: '/404.html' },
    ],
  }),
  '.vercel/output/static/index.html': '<h1>Edge</h1>\n',
  '.vercel/output/static/404.html': '<h1>Not here</h1>\n',
  '.vercel/output/static/empty.txt': '',
  '.vercel/output/static/bytes.bin': Uint8Array.from({ length: 70_000 }, (_byte, at) => (at * 31) % 251),
  '.vercel/output/static/with space.txt': 'space',
  '.vercel/output/static/ Leading and trailing ': 'spaces',
  '.vercel/output/static/grüße-日本-🚀.txt': 'letters',
  '.vercel/output/static/e\u0301.txt': 'a letter and its accent',
  '.vercel/output/static/100%25 sure?.txt': 'percent',
  '.vercel/output/static/[slug]/(group)/{a,b}.txt': 'brackets',
  '.vercel/output/static/it\'s #1 & "quoted" + more;.txt': 'marks',
  '.vercel/output/static/!important': 'a mark that negates',
  '.vercel/output/static/__proto__': 'a name that objects have',
  '.vercel/output/static/.well-known/security.txt': 'Contact: mailto:security@acme.example\n',
  '.vercel/output/static/.hidden': 'hidden',
  '.vercel/output/static/.gitignore': '*\n',
  '.vercel/output/static/.env': 'NAME=served\n',
  '.vercel/output/static/node_modules/left/index.js': 'module.exports = 1;\n',
  '.vercel/output/static/copy-1.txt': 'the same text\n',
  '.vercel/output/static/copies/copy-2.txt': 'the same text\n',
  '.vercel/output/static/current.html': { linkTo: 'index.html' },
  '.vercel/output/static/bin/run.sh': '#!/bin/sh\necho run\n',
  '.vercel/output/static/bin/tool': '#!/bin/sh\n:\n',
  '.vercel/output/static/bin/tool.txt': '#!/bin/sh\n:\n',
  '.vercel/output/functions/api/node.func/.vc-config.json': JSON.stringify({
    runtime: 'nodejs22.x',
    handler: 'index.js',
    launcherType: 'Nodejs',
    filePathMap: {
      'node_modules/dependency/index.js': 'node_modules/dependency/index.js',
      'lib/greeting.js': 'src/lib/greeting.js',
      'again.js': './src/lib/../lib/greeting.js',
    },
  }),
  '.vercel/output/functions/api/node.func/index.js': 'module.exports = (_request, response) => response.end();\n',
  '.vercel/output/functions/api/alias.func': { linkTo: 'node.func' },
  '.vercel/output/functions/api/edge.func/.vc-config.json': JSON.stringify({
    runtime: 'edge',
    entrypoint: 'index.js',
    deploymentTarget: 'v8-worker',
  }),
  '.vercel/output/functions/api/edge.func/index.js': "export default () => new Response('edge');\n",
  '.vercel/output/functions/[...all].func': { linkTo: 'api/edge.func' },
  '.vercel/output/functions/_middleware.func/.vc-config.json': JSON.stringify({
    runtime: 'edge',
    entrypoint: 'index.js',
  }),
  '.vercel/output/functions/_middleware.func/index.js': "export default () => new Response('middleware');\n",
  '.vercel/routes.json': '{"routes":[]}\n',
  'node_modules/dependency/index.js': "module.exports = 'dependency';\n",
  'src/lib/greeting.js': "module.exports = 'hello';\n",
  'src/lib/unused.js': 'unused\n',
  'README.md': '# Edge\n',
};

const EXECUTABLE = ['.vercel/output/static/bin/run.sh', '.vercel/output/static/bin/tool'];

/** Two files with the same contents, of which one is executable. */
export const SAME_CONTENTS = ['.vercel/output/static/bin/tool', '.vercel/output/static/bin/tool.txt'];

/** Writes the checkout of a build for a target, or for a custom environment. */
export function writeOutput(checkout: string, target: string): void {
  mkdirSync(checkout, { recursive: true });
  writeTree(checkout, { ...FILES, '.vercel/output/builds.json': JSON.stringify({ target, builds: [] }) });
  for (const path of EXECUTABLE) chmodSync(join(checkout, path), 0o755);
}

/** What is deployed of it: all below the output, and what it needs besides. */
export function deployedPaths(): readonly string[] {
  const besides = ['.vercel/routes.json', 'node_modules/dependency/index.js', 'src/lib/greeting.js'];
  const below = Object.keys(FILES).filter((path) => path.startsWith('.vercel/output/'));
  return [...below, '.vercel/output/builds.json', ...besides].sort();
}
