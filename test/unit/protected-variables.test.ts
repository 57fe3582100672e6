import { expect, test } from 'vitest';
import { BUILDKITE_PROTECTED } from '../../buildkite-plugin/buildkite-host.ts';
import { BITBUCKET_PROTECTED } from '../../pipe/bitbucket-host.ts';

test.each([
  'BUILDKITE_AGENT_ACCESS_TOKEN',
  'BUILDKITE_AGENT_TOKEN',
  'BUILDKITE_AGENT_JOB_API_TOKEN',
  'BUILDKITE_S3_SECRET_ACCESS_KEY',
  'BUILDKITE_S3_ACCESS_KEY_ID',
  'BUILDKITE_GS_APPLICATION_CREDENTIALS_JSON',
  'BUILDKITE_ARTIFACTORY_PASSWORD',
  'BUILDKITE_AZURE_BLOB_ACCESS_KEY',
  'BUILDKITE_ANALYTICS_TOKEN',
  'BUILDKITE_GIT_CREDENTIALS',
  'BUILDKITE_PLUGINS',
  'BUILDKITE_PLUGIN_CONFIGURATION',
  'BUILDKITE_PLUGIN_KEYLESS_SUBMIT_API_KEY',
  'BUILDKITE_PLUGIN_DOCKER_LOGIN_PASSWORD_ENV',
  'BUILDKITE_ENV_FILE',
  'BUILDKITE_SOMETHING_NEW',
  'buildkite_agent_access_token',
])('on Buildkite %s is protected', (name) => expect(BUILDKITE_PROTECTED.has(name, 'x')).toBe(true));

test.each([
  'BUILDKITE_BUILD_NUMBER',
  'BUILDKITE_STEP_KEY',
  'BUILDKITE_PULL_REQUEST_LABELS',
  'BUILDKITE_MESSAGE',
  'CI',
  'HF_TOKEN',
  'MY_BUILDKITE_TOKEN',
])('on Buildkite %s is not: a fact of the build, or a variable of the user', (name) =>
  expect(BUILDKITE_PROTECTED.has(name, 'x')).toBe(false),
);

test.each([
  'BITBUCKET_STEP_OIDC_TOKEN',
  'PIPELINES_JWT_TOKEN',
  'PIPELINES_VARIABLES_PATH',
  'BITBUCKET_ACCESS_TOKEN',
  'BITBUCKET_SOMETHING_NEW',
])('on Bitbucket %s is protected', (name) => expect(BITBUCKET_PROTECTED.has(name, 'x')).toBe(true));

test.each(['BITBUCKET_BUILD_NUMBER', 'BITBUCKET_PROJECT_KEY', 'BITBUCKET_BRANCH', 'HF_TOKEN'])(
  'on Bitbucket %s is not',
  (name) => expect(BITBUCKET_PROTECTED.has(name, 'x')).toBe(false),
);

test.each([
  ['https://me:secret@git.example/x.git', true],
  ['https://secret@git.example/x.git', true],
  ['ssh://me:secret@git.example/x.git', true],
  ['ssh://git@git.example/x.git', false],
  ['git@git.example:x.git', false],
  ['https://git.example/x.git', false],
])('the address of the repository is protected where it has a login: %s', (address, isProtected) => {
  expect(BUILDKITE_PROTECTED.has('BUILDKITE_REPO', address)).toBe(isProtected);
  expect(BITBUCKET_PROTECTED.has('BITBUCKET_GIT_HTTP_ORIGIN', address)).toBe(isProtected);
});

test.each([':', 'a:', 'https://', '://a:', 'x@'])(
  'a long value without a login takes time in proportion to its length: ://%s…',
  (unit) => {
    const startedAt = performance.now();
    expect(BUILDKITE_PROTECTED.has('BUILDKITE_MESSAGE', `://${unit.repeat(130_000 / unit.length)}`)).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  },
);
