import { describe, expect, it } from 'vitest';
import { proxyAddress, putReport } from '../../pipe/bitbucket-reports.ts';
import { ODD_ANSWERS } from '../simulators/odd-answers.ts';
import { rawServer } from '../simulators/raw-server.ts';

const STEP = { BITBUCKET_WORKSPACE: 'acme', BITBUCKET_REPO_SLUG: 'ml', BITBUCKET_COMMIT: 'abc' };

describe.concurrent('a report', () => {
  it.each(ODD_ANSWERS)('ends in time where the proxy for it %s', async (_name, answer, reason) => {
    await using server = await rawServer(answer);
    const startedAt = performance.now();
    const sent = putReport({ ...STEP, KEYLESS_SUBMIT_SIMULATORS: `http://127.0.0.1:${server.port}` }, 'id', {});
    await expect(sent).rejects.toThrow(reason === 'never ends' ? /no answer within 5 s/ : reason);
    expect(performance.now() - startedAt).toBeLessThan(7_000);
  });
});

describe('the proxy for reports', () => {
  it.each([
    [{}, 'host.docker.internal', 29_418],
    [{ DOCKER_HOST: 'tcp://10.39.0.1:2375' }, '10.39.0.1', 29_418],
    [{ DOCKER_HOST: 'tcp://[fd00::1]:2375' }, 'fd00::1', 29_418],
    [{ DOCKER_HOST: 'unix:///var/run/docker.sock' }, 'host.docker.internal', 29_418],
    [{ KEYLESS_SUBMIT_SIMULATORS: 'http://[::1]:8700' }, '::1', 8_700],
  ])('with %j is at %s', (env, host, port) => expect(proxyAddress(env)).toEqual({ host, port }));
});
