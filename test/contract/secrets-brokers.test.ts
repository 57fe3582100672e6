import { expect, test } from 'vitest';
import { AWS, AZURE, HELD_SECRETS, VAULT } from '../simulators/brokers-tenant.ts';
import { FAULT_KINDS } from '../simulators/serve.ts';
import { GOOGLE, providerName } from '../simulators/tenant.ts';
import type { World } from '../simulators/world.ts';
import { createStage } from './harness.ts';
import { boundSecrets, CIS, exchangeStep, LOGIN, readSecrets } from './secrets-step.ts';

const GOOGLE_SECRET = `google:projects/${GOOGLE.project}/secrets/prefect-ci`;
const AWS_LOGIN = { 'aws-role': AWS.roleArn, 'aws-region': AWS.region };
const AZURE_LOGIN = { 'azure-tenant': AZURE.tenantId, 'azure-client-id': AZURE.clientId };

test.each(CIS)('%s: Google Secret Manager gives two secrets for one login', async (ci) => {
  await using stage = await createStage();
  const { error, faults, values, log, requests } = await readSecrets(stage, {
    ci,
    audience: `https://iam.googleapis.com/${providerName(ci)}`,
    settings: {
      ...LOGIN.google(ci),
      'secret-from': {
        'api-key': `${GOOGLE_SECRET}/versions/3`,
        'auth-string': `google:projects/${GOOGLE.project}/secrets/prefect-auth`,
      },
    },
  });
  expect({ error, faults }).toEqual({ error: undefined, faults: [] });
  expect(values).toEqual({ 'api-key': HELD_SECRETS.prefectKey, 'auth-string': HELD_SECRETS.prefectAuthString });
  expect(log).toContain(
    `read api-key, version 3, from Google Secret Manager projects/${GOOGLE.project}/secrets/prefect-ci`,
  );
  expect(log).toContain('exchanged at STS for a federated identity');
  expect(requests.filter(({ host }) => host.startsWith('sts.'))).toHaveLength(1);
  expect(log.match(/issuer {2}/g)).toHaveLength(1);
  expect(stage.world.google.secretAccesses()).toHaveLength(2);
});

test.each(CIS)('%s: Google Secret Manager opens to a service account, by alias, and in one location', async (ci) => {
  await using stage = await createStage();
  const { error, faults, values, log } = await readSecrets(stage, {
    ci,
    audience: `https://iam.googleapis.com/${providerName(ci)}`,
    settings: {
      ...LOGIN.google(ci),
      'service-account': GOOGLE.trainer,
      'secret-from': {
        'api-key': `${GOOGLE_SECRET}/versions/former`,
        'auth-string': `google:projects/${GOOGLE.project}/locations/${GOOGLE.region}/secrets/prefect-ci`,
      },
    },
  });
  expect({ error, faults }).toEqual({ error: undefined, faults: [] });
  expect(values).toEqual({ 'api-key': HELD_SECRETS.formerPrefectKey, 'auth-string': HELD_SECRETS.prefectKey });
  expect(log).toContain('read api-key, version 2, from');
  expect(log).toContain(`exchanged at STS, acting as ${GOOGLE.trainer}`);
});

test.each(CIS)('%s: Vault gives fields of both engines, and its tokens are ended at once', async (ci) => {
  await using stage = await createStage();
  const { error, faults, values, log, concealed } = await readSecrets(stage, {
    ci,
    audience: VAULT.audience,
    settings: {
      ...LOGIN.vault(ci),
      'secret-from': {
        'api-key': 'vault:secret/ci/prefect#api-key',
        'auth-string': 'vault:secret/ci/prefect?version=2#api-key',
      },
    },
  });
  expect({ error, faults }).toEqual({ error: undefined, faults: [] });
  expect(values).toEqual({ 'api-key': HELD_SECRETS.prefectKey, 'auth-string': HELD_SECRETS.formerPrefectKey });
  expect(log).toContain('read api-key, version 3, from Vault https://vault.acme.example, secret/ci/prefect');
  const { vault } = stage.world.brokers;
  expect(vault.tokens()).toHaveLength(2);
  expect(vault.liveTokens()).toEqual([]);
  if (ci === 'buildkite') expect(concealed).toEqual(expect.arrayContaining([...vault.issuedTokens()]));

  const first = await readSecrets(stage, {
    ci,
    audience: VAULT.audience,
    settings: {
      ...LOGIN.vault(ci),
      'vault-kv-version': '1',
      'secret-from': { 'api-key': 'vault:kv1/ci/prefect#api-key' },
    },
  });
  expect(first.values).toEqual({ 'api-key': HELD_SECRETS.prefectKey });
});

test.each(CIS)('%s: Vault in a namespace, and with tokens for a single use', async (ci) => {
  await using stage = await createStage();
  const { error, values, log } = await readSecrets(stage, {
    ci,
    audience: VAULT.audience,
    settings: {
      ...LOGIN.vault(ci),
      'vault-role': VAULT.singleUseRole,
      'vault-namespace': VAULT.namespace,
      'secret-from': { 'api-key': 'vault:secret/ci/prefect#api-key' },
    },
  });
  expect(error).toBeUndefined();
  expect(values).toEqual({ 'api-key': HELD_SECRETS.teamPrefectKey });
  expect(log).not.toContain('could not be revoked');
  expect(stage.world.brokers.vault.liveTokens()).toEqual([]);
});

test('a token that Vault does not revoke is told, and changes nothing', async () => {
  await using stage = await createStage();
  stage.world.fault({ kind: 'status-500', path: /revoke-self/, times: 1 });
  const { values, log } = await readSecrets(stage, {
    ci: 'bitbucket',
    audience: VAULT.audience,
    settings: { ...LOGIN.vault('bitbucket'), 'secret-from': { 'api-key': 'vault:secret/ci/prefect#api-key' } },
  });
  expect(values).toEqual({ 'api-key': HELD_SECRETS.prefectKey });
  expect(log).toContain('could not be revoked (it answered 500)');
});

test('a token that its role does not let end itself is told', async () => {
  const { vaultTenant } = await import('../simulators/brokers-tenant.ts');
  const tenant = vaultTenant();
  const root = tenant.namespaces[''];
  const mount = root?.auth[VAULT.mounts.bitbucket];
  const role = mount?.roles[VAULT.role];
  if (root === undefined || mount === undefined || role === undefined) throw new Error('no such role');
  const roles = { [VAULT.role]: { ...role, tokenNoDefaultPolicy: true } };
  const changed = { ...root, auth: { [VAULT.mounts.bitbucket]: { ...mount, roles } } };
  const vault = { ...tenant, namespaces: { ...tenant.namespaces, '': changed } };
  await using stage = await createStage({ brokers: { vault } });
  const { values, log } = await readSecrets(stage, {
    ci: 'bitbucket',
    audience: VAULT.audience,
    settings: { ...LOGIN.vault('bitbucket'), 'secret-from': { 'api-key': 'vault:secret/ci/prefect#api-key' } },
  });
  expect(values).toEqual({ 'api-key': HELD_SECRETS.prefectKey });
  expect(stage.world.brokers.vault.liveTokens()).toHaveLength(1);
  expect(log).toContain('could not be revoked (it answered 403)');
});

const AWS_ANSWERS = ['json', 'xml'] as const;

test.each(CIS.flatMap((ci) => AWS_ANSWERS.map((answers) => [ci, answers] as const)))(
  '%s: AWS Secrets Manager gives secrets for one role, told in %s',
  async (ci, answers) => {
    const { awsTenant } = await import('../simulators/brokers-tenant.ts');
    await using stage = await createStage({
      brokers: { aws: { ...awsTenant(), jsonAnswers: answers === 'json' } },
    });
    const arn = `arn:aws:secretsmanager:${AWS.region}:${AWS.accountId}:secret:ci/prefect-a1B2c3`;
    const { error, faults, values, log, requests } = await readSecrets(stage, {
      ci,
      audience: AWS.audience,
      settings: {
        ...AWS_LOGIN,
        'secret-from': { 'api-key': `aws:${arn}?stage=AWSPREVIOUS`, 'auth-string': 'aws:ci/all#prefect-auth' },
      },
    });
    expect({ error, faults }).toEqual({ error: undefined, faults: [] });
    expect(values).toEqual({ 'api-key': HELD_SECRETS.formerPrefectKey, 'auth-string': HELD_SECRETS.prefectAuthString });
    expect(log).toContain(`read api-key, version ${AWS.formerVersionId}, from AWS Secrets Manager ${arn} in us-east-1`);
    expect(requests.filter(({ host }) => host.startsWith('sts.'))).toHaveLength(1);
    expect(stage.world.brokers.aws.sessions().map((session) => session.arn)).toEqual([
      expect.stringMatching(/\/acme-vision-42$/),
    ]);
  },
);

test.each(CIS)('%s: AWS Secrets Manager gives bytes, and a version by its id', async (ci) => {
  await using stage = await createStage();
  const { values } = await readSecrets(stage, {
    ci,
    audience: AWS.audience,
    settings: {
      ...AWS_LOGIN,
      'secret-from': { 'api-key': 'aws:ci/binary', 'auth-string': `aws:ci/prefect?version=${AWS.formerVersionId}` },
    },
  });
  expect(values).toEqual({ 'api-key': HELD_SECRETS.prefectKey, 'auth-string': HELD_SECRETS.formerPrefectKey });
});

test('keys of AWS are used again, and replaced when they are about to end', async () => {
  await using stage = await createStage();
  const { host, exchange } = await exchangeStep(stage, { ci: 'buildkite', settings: REACHED.aws });
  const source = boundSecrets(host).secrets?.get('api-key');
  const sessions = async (minutesLater: number) => {
    stage.clock.advance(minutesLater * 60_000);
    expect((await source?.read(exchange, new AbortController().signal))?.reveal()).toBe(HELD_SECRETS.prefectKey);
    return stage.world.brokers.aws.sessions().length;
  };
  expect([await sessions(0), await sessions(10), await sessions(4.5)]).toEqual([1, 1, 2]);
});

test('Azure Key Vault gives two secrets for one login to a subject that stays', async () => {
  await using stage = await createStage();
  const { error, faults, values, log, requests } = await readSecrets(stage, {
    ci: 'buildkite',
    settings: {
      ...AZURE_LOGIN,
      'oidc-subject-claim': 'pipeline_id',
      'secret-from': {
        'api-key': `azure:${AZURE.vault}/prefect-ci/${AZURE.formerVersion}`,
        'auth-string': `azure:${AZURE.vault}/prefect-auth`,
      },
    },
  });
  expect({ error, faults }).toEqual({ error: undefined, faults: [] });
  expect(values).toEqual({ 'api-key': HELD_SECRETS.formerPrefectKey, 'auth-string': HELD_SECRETS.prefectAuthString });
  expect(log).toContain(`read api-key, version ${AZURE.formerVersion}, from Azure Key Vault acme-ci/prefect-ci`);
  expect(requests.filter(({ host }) => host === 'login.microsoftonline.com')).toHaveLength(1);
});

test.each([
  ['bitbucket', "Bitbucket's subject names the step"],
  ['buildkite', 'oidc-subject-claim'],
] as const)('%s: Azure Key Vault is refused where the subject changes', async (ci, reason) => {
  await using stage = await createStage();
  const { faults, requests } = await readSecrets(stage, {
    ci,
    settings: { ...AZURE_LOGIN, 'secret-from': { 'api-key': `azure:${AZURE.vault}/prefect-ci` } },
  });
  expect(faults).toEqual([expect.stringContaining(reason)]);
  expect(requests).toEqual([]);
});

test.each(['build_id', 'job_id', 'agent_id'])(
  'Azure Key Vault is refused where the subject is the %s',
  async (claim) => {
    await using stage = await createStage();
    const settings = {
      ...AZURE_LOGIN,
      'oidc-subject-claim': claim,
      'secret-from': { 'api-key': `azure:${AZURE.vault}/prefect-ci` },
    };
    const { faults, requests } = await readSecrets(stage, { ci: 'buildkite', settings });
    expect(faults).toEqual([expect.stringContaining(`${claim} is another one in each run`)]);
    expect(requests).toEqual([]);
  },
);

const LINKS = [
  ['Vault, login', 'vault', /\/login$/],
  ['Vault, reading', 'vault', /\/data\/ci\/prefect$/],
  ['AWS, login', 'aws', /^\/sts\./],
  ['AWS, reading', 'aws', /^\/secretsmanager\./],
  ['Azure, login', 'azure', /\/oauth2\/v2\.0\/token$/],
  ['Azure, reading', 'azure', /\/secrets\/prefect-ci$/],
  ['Google, reading', 'google', /:access$/],
] as const;
const REACHED = {
  vault: { ...LOGIN.vault('buildkite'), 'secret-from': { 'api-key': 'vault:secret/ci/prefect#api-key' } },
  aws: { ...AWS_LOGIN, 'secret-from': { 'api-key': 'aws:ci/prefect' } },
  azure: {
    ...AZURE_LOGIN,
    'oidc-subject-claim': 'pipeline_id',
    'secret-from': { 'api-key': `azure:${AZURE.vault}/prefect-ci` },
  },
  google: { ...LOGIN.google('buildkite'), 'secret-from': { 'api-key': GOOGLE_SECRET } },
} as const;

test.each(
  LINKS.flatMap(([link, broker, path]) =>
    FAULT_KINDS.filter((kind) => kind !== 'late').map((kind) => [link, kind, broker, path] as const),
  ),
)('%s: %s is overcome', async (_link, kind, broker, path) => {
  await using stage = await createStage();
  stage.world.fault({ kind, path, times: 1, retryAfterSeconds: 2 });
  const { error, values } = await readSecrets(stage, { ci: 'buildkite', settings: REACHED[broker] });
  expect(error).toBeUndefined();
  expect(values).toEqual({ 'api-key': HELD_SECRETS.prefectKey });
});

const ISSUED = {
  vault: ({ brokers }) => brokers.vault.issuedTokens(),
  aws: ({ brokers }) => brokers.aws.issuedTokens(),
  azure: ({ brokers }) => brokers.azure.issuedTokens(),
  google: ({ google }) => google.issuedTokens(),
} as const satisfies Record<keyof typeof REACHED, (world: World) => readonly string[]>;

test.each(['vault', 'aws', 'azure', 'google'] as const)(
  "Buildkite's redactor is given the CI's token, all that %s issues for it, and the secret",
  async (broker) => {
    await using stage = await createStage();
    const { concealed } = await readSecrets(stage, { ci: 'buildkite', settings: REACHED[broker] });
    const issued = ISSUED[broker](stage.world);
    const presented = stage.world.agentApi.oidcRequests().map(({ token }) => token);
    expect(issued).not.toEqual([]);
    expect(presented).not.toEqual([]);
    expect(concealed).toEqual(expect.arrayContaining([...issued, ...presented, HELD_SECRETS.prefectKey]));
  },
);

test("where secret-audience is set, a token with the CI's default audience is not sent", async () => {
  await using stage = await createStage();
  const { error, requests } = await readSecrets(stage, {
    ci: 'bitbucket',
    audience: VAULT.audience,
    settings: {
      ...LOGIN.vault('bitbucket'),
      'secret-audience': 'https://trust.acme.example/ci',
      'secret-from': { 'api-key': 'vault:secret/ci/prefect#api-key' },
    },
  });
  expect(error?.code).toBe('token-audience');
  expect(requests).toEqual([]);
});

test.each(CIS)('%s: a token that Vault gave in a namespace is revoked there', async (ci) => {
  await using stage = await createStage();
  const { values, log } = await readSecrets(stage, {
    ci,
    audience: VAULT.audience,
    settings: {
      ...LOGIN.vault(ci),
      'vault-namespace': VAULT.namespace,
      'secret-from': { 'api-key': 'vault:secret/ci/prefect#api-key' },
    },
  });
  expect(values).toEqual({ 'api-key': HELD_SECRETS.teamPrefectKey });
  expect(stage.world.brokers.vault.tokens()).toHaveLength(1);
  expect(stage.world.brokers.vault.liveTokens()).toEqual([]);
  expect(log).not.toContain('could not be revoked');
});

test('a cancelled step ends the token of Vault all the same', async () => {
  await using stage = await createStage();
  const stop = new AbortController();
  stage.world.fault({ kind: 'status-503', path: /\/data\/ci\/prefect$/, times: 99 });
  stage.clock.after(1_000, () => stop.abort('SIGTERM'));
  const reading = readSecrets(stage, { ci: 'buildkite', settings: REACHED.vault, signal: stop.signal });
  await expect(reading).rejects.toBe('SIGTERM');
  const { vault } = stage.world.brokers;
  expect(vault.tokens()).toHaveLength(1);
  expect(vault.liveTokens()).toEqual([]);
});

test.each(['sts', 'secretsmanager'])('AWS: %s that throttles is asked again', async (service) => {
  await using stage = await createStage();
  const text = JSON.stringify(
    service === 'sts'
      ? { Error: { Type: 'Sender', Code: 'Throttling', Message: 'Rate exceeded' } }
      : { __type: 'ThrottlingException', Message: 'Rate exceeded' },
  );
  const answer = { status: 400, type: 'application/json', text };
  stage.world.fault({ kind: 'answer', method: 'POST', path: new RegExp(`/${service}\\.`), times: 2, answer });
  const { error, faults, values } = await readSecrets(stage, {
    ci: 'buildkite',
    audience: 'sts.amazonaws.com',
    settings: { ...AWS_LOGIN, 'secret-from': { 'api-key': 'aws:ci/prefect' } },
  });
  expect({ error, faults }).toEqual({ error: undefined, faults: [] });
  expect(values).toEqual({ 'api-key': HELD_SECRETS.prefectKey });
});
