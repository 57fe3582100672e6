import { describe, expect, it } from 'vitest';
import { bitbucketSettings, pipeVariable, readPipeVariables } from '../../pipe/bitbucket-settings.ts';
import { ALL_SETTINGS } from '../../tools/kinds.ts';

const known = { ...ALL_SETTINGS, ...bitbucketSettings };
const read = (env: Readonly<Record<string, string>>) => Object.fromEntries(readPipeVariables(env, known));

describe('the variables of a pipe', () => {
  it('are settings by their names in capitals', () => {
    expect(pipeVariable('workload-identity-provider')).toBe('WORKLOAD_IDENTITY_PROVIDER');
    expect(read({ JOB: 'vertex-custom-job', SERVICE_ACCOUNT: 'a@b.iam', WAIT: 'false' })).toEqual({
      job: 'vertex-custom-job',
      'service-account': 'a@b.iam',
      wait: false,
    });
  });

  it.each([
    ['true', true],
    ['True', true],
    ['yes', true],
    ['1', true],
    ['false', false],
    ['no', false],
    ['0', false],
    ['maybe', 'maybe'],
  ])('that are flags read %s as %j', (written, value) => {
    expect(read({ WAIT: written })).toEqual({ wait: value });
  });

  it('that are lists come one by one, as JSON, or alone', () => {
    const delegates = ['a@x.iam', 'b@x.iam'];
    expect(read({ DELEGATES_COUNT: '2', DELEGATES_0: 'a@x.iam', DELEGATES_1: 'b@x.iam' })).toEqual({ delegates });
    expect(read({ DELEGATES: '["a@x.iam","b@x.iam"]' })).toEqual({ delegates });
    expect(read({ DELEGATES: 'a@x.iam' })).toEqual({ delegates: ['a@x.iam'] });
  });

  it('that are maps come as JSON or as a list of NAME=VALUE', () => {
    expect(read({ LABELS: '{"team":"vision","epochs":20}' })).toEqual({ labels: { team: 'vision', epochs: 20 } });
    expect(read({ LABELS_COUNT: '2', LABELS_0: 'team=vision', LABELS_1: 'expr=a=b' })).toEqual({
      labels: { team: 'vision', expr: 'a=b' },
    });
    expect(read({ SET_COUNT: '2', SET_0: 'tasks[0].max_retries=3', SET_1: 'run_name=3 wishes' })).toEqual({
      set: { 'tasks[0].max_retries': 3, run_name: '3 wishes' },
    });
  });

  it('that cannot be read stay as they are written, to be refused by name', () => {
    expect(read({ LABELS: '{team: vision' })).toEqual({ labels: '{team: vision' });
    expect(read({ LABELS_COUNT: '1', LABELS_0: 'team' })).toEqual({ labels: ['team'] });
  });

  it('keep every digit of large integers', () => {
    expect(read({ SET: '{"job_id": 9007199254740993}' })).toEqual({ set: { job_id: 9_007_199_254_740_993n } });
  });

  it('that are empty are not set', () => {
    expect(read({ SPEC: '', ATTACH: '', DELEGATES_COUNT: '0' })).toEqual({ delegates: [] });
  });

  it('that look like a misspelt setting are kept, and strangers are not', () => {
    const env = { SERVICE_ACOUNT: 'a@b.iam', BITBUCKET_COMMIT: 'abc', PATH: '/bin', MY_EPOCHS: '3', HOSTNAME: 'x' };
    expect(read(env)).toEqual({ 'service-acount': 'a@b.iam' });
  });
});
