import { describe, it } from 'vitest';
import type { NewTree } from './folders.ts';
import { HOSTILE_HOST, hostileText } from './hostile.ts';
import { DEPLOY } from './kinds.ts';
import { type BadInput, expectRefusal, withEachCi } from './refusals.ts';

const HOSTILE = hostileText('x');
const CONFIG = '{"version":3}';

/** A build in a folder of its own, with what is wrong with it. */
function build(name: string, checkout: NewTree, words: readonly string[], more: Partial<BadInput> = {}): BadInput {
  return {
    name: `a build ${name}`,
    settings: { directory: 'out', ...more.settings },
    checkout,
    says: (spell) => [`${spell('directory')}: `, ...words],
  };
}

const BUILDS: readonly BadInput[] = [
  build('that is not there', {}, ['out does not exist in the checkout; a build made by `vercel build` is expected']),
  build('that is a file', { out: 'x' }, ['out']),
  build('of nothing', { 'out/static/.gitkeep': '' }, ['out has no config.json']),
  build('behind a link out of the checkout', { out: { linkTo: '/etc' } }, ['out is outside the checkout']),
  build('behind a link to itself', { out: { linkTo: 'out' } }, ['out']),
  build('without config.json', { 'out/static/index.html': 'x' }, ['out has no config.json']),
  build('with a config.json that is cut off', { 'out/config.json': '{"version":' }, [
    'config.json is not a JSON object',
  ]),
  build('with a config.json that is a list', { 'out/config.json': '[3]' }, ['config.json is not a JSON object']),
  build('with a config.json of bytes', { 'out/config.json': new Uint8Array([0xff, 0xfe]) }, ['is not UTF-8 text']),
  build('with a config.json of 50 MB', { 'out/config.json': { zeros: 50 * 1024 * 1024 } }, ['has 50.0 MiB']),
  build('with a config.json that leads out of the checkout', { 'out/config.json': { linkTo: '/etc/passwd' } }, [
    'out/config.json is outside the checkout',
  ]),
  build('of version 2', { 'out/config.json': '{"version":2}' }, ['has the version 2; expected 3']),
  build('of no version', { 'out/config.json': '{}' }, ['has the version none; expected 3']),
  build(
    'that failed',
    { 'out/config.json': CONFIG, 'out/builds.json': `{"error":{"message":${JSON.stringify(HOSTILE)}}}` },
    ['the build failed: x'],
  ),
  build(
    'of which one failed',
    {
      'out/config.json': CONFIG,
      'out/builds.json': JSON.stringify({ builds: [{ src: HOSTILE, error: { message: 'no handler' } }] }),
    },
    ['the build of x'],
  ),
  {
    name: 'a build for production as a preview',
    settings: { directory: 'out' },
    checkout: { 'out/config.json': CONFIG, 'out/builds.json': `{"target":"production"}` },
    says: (spell) => [`${spell('target')}: the build was made for production and would be deployed to preview`],
  },
  build(
    'whose functions need files of others',
    {
      'out/config.json': `{"version":2}`,
      'out/functions/a.func/.vc-config.json':
        '{"filePathMap":{"a":"../../etc/passwd","b":"/etc/passwd","c":"none.js"}}',
      'out/functions/b.func/.vc-config.json': 'no JSON',
    },
    [
      'has the version 2; expected 3',
      'out/functions/b.func/.vc-config.json is not a JSON object',
      'leads outside of the checkout: ../../etc/passwd',
      'needs none.js, which is not in the checkout',
    ],
  ),
  ...['/etc', '../out', 'a/../../etc', `${HOSTILE_HOST}\n/x`, '$(touch pwned)', '`touch pwned`'].map((directory) =>
    build(`at ${JSON.stringify(directory)}`, {}, [], { settings: { directory } }),
  ),
  {
    name: 'names of files',
    settings: { directory: 'out' },
    checkout: {
      'out/functions/a.func/.vc-config.json': JSON.stringify({ filePathMap: { a: HOSTILE, b: `/${HOSTILE}` } }),
      'out/config.json': JSON.stringify({ version: HOSTILE }),
      'out/builds.json': JSON.stringify({ target: HOSTILE }),
    },
    says: (spell) => [`${spell('directory')}: `, `${spell('target')}: the build was made for x`],
  },
];

describe.concurrent('a build is refused before anything is sent:', () => {
  const inputs = BUILDS.map(
    (input, at): BadInput => ({
      kind: DEPLOY,
      // What is found in the checkout is found by the core, whichever packaging looks.
      ci: at % 2 === 0 ? 'bitbucket' : 'buildkite',
      ...input,
    }),
  );
  it.each(withEachCi(inputs))('$title', ({ ci, input }) => expectRefusal(ci, input));
});
