import { describe, expect, it } from 'vitest';
import * as z from 'zod/mini';
import { type Json, parseJson } from '../../shared/json.ts';
import { kind as databricksRunNow } from '../../shared/services/databricks/run-now.ts';
import { kind as vertexCustomJob } from '../../shared/services/vertex-ai/custom-job.ts';
import { nearestName } from '../../shared/settings/nearest-name.ts';
import {
  choice,
  collectFaults,
  document,
  duration,
  flag,
  id,
  list,
  map,
  objects,
  parseDuration,
  parseSettings,
  refuseUnknown,
  required,
  type Settings,
  secret,
  secretMap,
  text,
  values,
  withDefault,
} from '../../shared/settings/settings.ts';

const described = { description: 'A thing.', expected: 'a thing', example: 'thing' };
const upper = (name: string) => name.toUpperCase();

function parse<S extends Settings>(settings: S, given: Readonly<Record<string, Json>>) {
  const faults = collectFaults(upper);
  const values = parseSettings(settings, new Map(Object.entries(given)), faults);
  return { values, faults: faults.messages };
}

describe('settings', () => {
  const settings = {
    name: required(text(described)),
    mode: withDefault(choice(['a', 'b'], described), 'a'),
    quiet: withDefault(flag({ description: 'Quiet.' }), false),
    wait: withDefault(duration({ description: 'How long.', example: '1h' }), '24h'),
    items: list({ ...described, pattern: /^[a-z]+$/ }),
    labels: map(described),
    job: id({ ...described, pattern: /^\d+$/ }),
    people: objects(() => z.strictObject({ name: z.string() }), described),
  };

  it('are parsed, with defaults for what is not set', () => {
    const { values, faults } = parse(settings, { name: 'x', quiet: 'true', wait: '1h30m', items: ['a'], job: 7 });
    expect(faults).toEqual([]);
    expect(values).toEqual({ name: 'x', mode: 'a', quiet: true, wait: 5_400, items: ['a'], job: '7' });
  });

  it('tell all their faults together, in the spelling of the CI, and give no values then', () => {
    const given = { mode: 'c', quiet: 'yes', wait: '1 h', items: ['a', 'B'], labels: 'x', people: [{ name: 1 }] };
    const { values, faults } = parse(settings, given);
    expect(values).toBeUndefined();
    expect(faults).toEqual([
      'NAME: is required: a thing',
      'MODE: expected a thing; got "c"',
      'QUIET: expected true or false; got "yes"',
      'WAIT: expected a duration in days, hours, minutes and seconds, such as 90m, 6h or 1d12h; got "1 h"',
      'ITEMS: expected a thing; got "B" at 1',
      'LABELS: expected a thing; got "x"',
      'PEOPLE: expected a thing; got 1 at 0.name',
    ]);
  });

  it.each([
    ['text', text(described), ''],
    ['text', text(described), 1.5],
    ['text', text(described), true],
    ['flag', flag({ description: 'Yes.' }), 1],
    ['list', list(described), ['']],
    ['list', list(described), 'a'],
    ['map', map(described), { a: [] }],
    ['values', values(described), []],
    ['document', document(described), ''],
    ['document', document(described), [1]],
    ['duration', duration({ description: 'Time.', example: '1h' }), 60],
    ['id', id({ ...described, pattern: /^\d+$/ }), 'x1'],
    ['id', id({ ...described, pattern: /^\d+$/ }), 1.5],
    ['id', id({ ...described, pattern: /^\d+$/ }), -1],
  ] as const)('of form %s refuse what is not theirs', (_form, setting, value) => {
    expect(parse({ it: setting }, { it: value }).faults).toHaveLength(1);
  });

  it('show what they got on one line, cut, without control characters', () => {
    const { faults } = parse({ it: flag({ description: 'Yes.' }) }, { it: `\u001b[31m\n${'x'.repeat(500)}` });
    expect(faults[0]).toMatch(/^IT: expected true or false; got "\\u001b\[31m\\nx+…$/);
    expect(faults[0]?.length).toBeLessThan(130);
  });

  it('that are maps take numbers and booleans as their text, integers with all their digits', () => {
    const given = parseJson('{"it": {"epochs": 20, "rate": 0.1, "fast": true, "run_id": 613245987654320003}}');
    const { values, faults } = parse({ it: map(described) }, given as Record<string, Json>);
    expect(faults).toEqual([]);
    expect(values?.it).toEqual({ epochs: '20', rate: '0.1', fast: 'true', run_id: '613245987654320003' });
  });

  it('that are secret are never shown, however wrong they are', () => {
    const names = /^[a-z]+$/;
    const { faults } = parse(
      { key: secret({ ...described, pattern: /^k_/ }), headers: secretMap({ ...described, names, values: /^h_/ }) },
      { key: 'wrong-s3cret', headers: { a: 'wrong-s3cret', 'wrong-s3cret': 'h_x' } },
    );
    expect(faults).toHaveLength(2);
    expect(faults.join()).not.toContain('s3cret');
    const { values } = parse({ key: secret({ ...described, pattern: /^k_/ }) }, { key: 'k_s3cret' });
    expect(values?.key?.reveal()).toBe('k_s3cret');
    expect(JSON.stringify(values)).not.toContain('s3cret');
  });

  it('that take a number take it as YAML reads it', () => {
    const faults = collectFaults((name) => name);
    const { project } = vertexCustomJob.settings;
    const { 'job-id': jobId } = databricksRunNow.settings;
    if (project === undefined || jobId === undefined) throw new Error('no such setting');
    parseSettings({ project }, new Map([['project', 123_456_789_012]]), faults);
    parseSettings({ 'job-id': jobId }, new Map([['job-id', 620_143_925_716_443]]), faults);
    expect(faults.messages).toEqual([]);
  });
});

describe('a setting that does not exist', () => {
  const known = new Set(['service-account', 'region', 'project', 'job']);
  const refuse = (name: string, elsewhere: Parameters<typeof refuseUnknown>[2] = {}) => {
    const faults = collectFaults(upper);
    refuseUnknown([name], known, elsewhere, faults);
    return faults.messages;
  };

  it('is refused with the nearest one that does', () => {
    expect(refuse('service-acount')).toEqual(['SERVICE-ACOUNT: is not a setting; did you mean SERVICE-ACCOUNT?']);
    expect(refuse('serviceAccount')).toEqual(['SERVICEACCOUNT: is not a setting; did you mean SERVICE-ACCOUNT?']);
  });

  it('is refused with all that do, where none is near', () => {
    expect(refuse('colour')).toEqual([
      'COLOUR: is not a setting; the settings are JOB, PROJECT, REGION, SERVICE-ACCOUNT',
    ]);
  });

  it('is refused with its owner, where another kind has it', () => {
    expect(refuse('host', { host: { kinds: ['databricks-submit-run', 'databricks-run-now'] } })).toEqual([
      'HOST: belongs to databricks-submit-run and databricks-run-now; remove it or change JOB',
    ]);
  });

  it('cannot write into the log', () => {
    expect(refuse('x\u001b[2J\ny')[0]).toMatch(/^X\s?Y: is not a setting/);
  });
});

describe('the nearest name', () => {
  it.each([
    ['regoin', 'region'],
    ['REGION', 'region'],
    ['wait_', 'wait'],
    ['dryrun', 'dry-run'],
    ['git_source', 'git-source'],
    ['x', undefined],
    ['', undefined],
    ['completely-different', undefined],
  ])('to %j is %j', (written, nearest) => {
    expect(nearestName(written, ['region', 'wait', 'dry-run', 'git-source', 'provenance-labels'])).toBe(nearest);
  });

  it('is none where nothing is known', () => {
    expect(nearestName('region', [])).toBeUndefined();
  });
});

describe('a duration', () => {
  it.each([
    ['90m', 5_400],
    ['1d12h', 129_600],
    ['1d2h3m4s', 93_784],
    ['0h5s', 5],
    ['007s', 7],
  ])('of %s is %i seconds', (written, seconds) => expect(parseDuration(written)).toBe(seconds));

  it.each(['', '0s', '0h0m', '5', 'h', '1.5h', '-1h', '1h 30m', '30m1h', '1H', '1w', `${'9'.repeat(20)}d`, '１h'])(
    'is not %j',
    (written) => expect(parseDuration(written)).toBeUndefined(),
  );
});
