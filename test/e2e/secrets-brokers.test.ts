import { describe, it } from 'vitest';
import { ODD_BROKERS, READING_REFUSALS, READINGS } from './secret-paths-brokers.ts';
import { expectSecrecy, WITH_DEBUG } from './secret-steps.ts';

describe.concurrent('no secret of a broker comes to light with', () => {
  it.each([...READINGS, ...READING_REFUSALS, ...ODD_BROKERS])('$name', (path) => expectSecrecy(path, WITH_DEBUG));
});
