import { describe, it } from 'vitest';
import { SETTINGS_PATHS } from './secret-paths-settings.ts';
import { expectSecrecy, inTurn, WITH_DEBUG } from './secret-steps.ts';

describe.concurrent('no secret among the settings comes to light with', () => {
  it.each(inTurn(SETTINGS_PATHS))('$name', (path) => expectSecrecy(path, WITH_DEBUG));
});
