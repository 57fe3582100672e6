import {
  choice,
  document,
  duration,
  flag,
  id,
  map,
  required,
  type Settings,
  text,
  values,
  withDefault,
} from './settings.ts';

/** Settings of every run, whatever its kind. */
export function runSettings(kinds: readonly string[]) {
  return {
    job: required(
      choice(kinds, {
        description: 'What to submit.',
        expected: `one of ${kinds.join(', ')}`,
        example: kinds[0] ?? '',
      }),
    ),
    wait: withDefault(
      flag({
        description:
          'Wait for the remote job and end with its result. With `false` the step ends when the job is accepted; a later step can `attach`.',
      }),
      true,
    ),
    timeout: withDefault(
      duration({
        description:
          'How long the job may take. The service is told to end it then (where the spec does not say so itself and the service can), and the wait ends. Vercel is not waited for longer than `45m` unless this is set.',
        example: '6h',
      }),
      '24h',
    ),
    'on-cancel': withDefault(
      choice(['cancel', 'detach'], {
        description:
          'What becomes of the remote job when the step is cancelled or `timeout` passes: cancelled with it, or left to go on.',
        expected: 'cancel or detach',
        example: 'detach',
      }),
      'cancel',
    ),
    attach: id({
      description:
        'Wait for a job that is already submitted instead of submitting one: its id or full name, `step:KEY` (Buildkite: the submission of the step with that key), `file:PATH` (an outputs file of an earlier step), or `key:HEX` (a submission key).',
      expected: "a job's id or name, step:KEY, file:PATH or key:HEX",
      example: 'file:.keyless-submit/outputs.json',
      pattern: /^(?:file:.+|\S+)$/,
    }),
    instance: text({
      description:
        'Makes this submission a separate one from an identical one of the same step, which would otherwise be joined: any text, such as a matrix value. It must stay the same when the step is retried.',
      expected: 'a text on one line of at most 200 characters',
      example: 'seed-2',
      pattern: /^[^\n]{1,200}$/,
    }),
    'outputs-file': text({
      description:
        'Where to write the outputs in the checkout, as JSON; beside it, a file ending in `.env` has them for shells. On Bitbucket it is always written, by default to `.keyless-submit/outputs.json`.',
      expected: 'a path that ends in .json and does not lead outside the checkout',
      example: 'build/outputs.json',
      pattern: /\.json$/,
      accepts: (path) => !path.startsWith('/') && !path.split('/').includes('..'),
    }),
    'dry-run': withDefault(
      flag({
        description:
          'Check everything that can be checked here, print the exact requests without tokens, and submit nothing.',
      }),
      false,
    ),
    debug: withDefault(flag({ description: 'Print more about what is done. Tokens are never printed.' }), false),
  } satisfies Settings;
}

/** Settings of kinds that submit a spec. */
export function specSettings(body: string, example: string) {
  return {
    spec: document({
      description: `${body} A path in the checkout (YAML or JSON) or the document itself. \`@{…}\` placeholders are filled in.`,
      expected: 'a path in the checkout, or a mapping',
      example,
    }),
    set: values({
      description:
        'Single fields of the spec to set, by path. A name with dots of its own stands in brackets: `conf["a.b"]`.',
      expected: 'values by path, such as {"tasks[0].task_key": "train"}',
      example: { 'path.to[0].field': 'value' },
    }),
  };
}

/** Settings of kinds whose service keeps labels or tags. */
export function originSettings(
  where: string,
  originToo: string,
  rules: { names?: RegExp; values?: RegExp; expected: string },
) {
  return {
    labels: map({
      description: `Labels of your own, put into ${where}.`,
      ...rules,
      example: { team: 'vision' },
    }),
    'provenance-labels': withDefault(
      flag({
        description: `Record commit, branch or tag, repository, build number and build URL in ${where}${originToo}.`,
      }),
      true,
    ),
  };
}
