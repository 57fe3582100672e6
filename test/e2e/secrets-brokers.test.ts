import { describe, it } from 'vitest';
import { ODD_BROKERS } from './secret-odd-brokers.ts';
import { READING_REFUSALS, READINGS } from './secret-paths-brokers.ts';
import { expectSecrecy, inTurn, WITH_DEBUG } from './secret-steps.ts';

describe.concurrent('no secret of a broker comes to light with', () => {
  it.each([...READINGS, ...inTurn(READING_REFUSALS), ...inTurn(ODD_BROKERS)])('$name', (path) =>
    expectSecrecy(path, WITH_DEBUG),
  );
});
