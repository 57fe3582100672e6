import { expect, test } from 'vitest';
import { artifactsOutput } from '../../shared/services/prefect/artifacts.ts';

test('outputs stay small however much a run writes into descriptions', () => {
  const artifacts = Array.from({ length: 100 }, (_, index) => ({
    key: `key-${index}`,
    type: 'markdown',
    description: 'd'.repeat(index === 0 ? 100 : 9_000),
    data: 'text',
  }));
  const output = artifactsOutput(artifacts);
  expect(output.length).toBeLessThan(50_000);
  const rows = JSON.parse(output);
  expect(rows).toHaveLength(100);
  expect(rows[0]).toEqual({ key: 'key-0', type: 'markdown', description: 'd'.repeat(100), data: 'text' });
});
