import type { BrokersOptions } from '../simulators/brokers.ts';
import { AWS, AZURE, HELD_SECRETS, VAULT } from '../simulators/brokers-tenant.ts';
import type { GoogleSecret } from '../simulators/google.ts';
import { type Call, callsTo } from './recorded-shell.ts';

const CREATED_AT = Date.parse('2026-06-01T09:00:00Z');
const KEY = HELD_SECRETS.prefectKey;

/** The secrets that a page's commands put into Google Secret Manager, and who may read them. */
export function googleSecrets(calls: readonly Call[]): readonly GoogleSecret[] {
  return callsTo(calls, 'gcloud secrets create').map(({ words, flags }) => {
    const name = words.at(-1) ?? '';
    const granted = callsTo(calls, `gcloud secrets add-iam-policy-binding ${name}`);
    return {
      project: flags.project ?? '',
      name,
      versions: callsTo(calls, `gcloud secrets versions add ${name}`).map(() => ({ data: KEY })),
      bindings: granted.map(({ flags: { role, member = '' } }) => {
        if (role !== 'roles/secretmanager.secretAccessor') throw new Error(`not a role to read secrets: ${role}`);
        return { role, member };
      }),
    };
  });
}

/** The Vault that they make of one with a key-value engine. */
export function vaultOf(calls: readonly Call[]): BrokersOptions['vault'] {
  const mounts = callsTo(calls, 'vault auth enable').map(({ words }) => (words[3] ?? '').replace('-path=', ''));
  const policies = callsTo(calls, 'vault policy write').map(({ words, flags: { stdin = '' } }) => {
    const paths = [...stdin.matchAll(/path "(.*)" \{\s*capabilities = (\[.*\])\s*\}/g)];
    return [
      words[3],
      Object.fromEntries(paths.map(([, path, capabilities]) => [path, JSON.parse(capabilities ?? '')])),
    ];
  });
  const writes = callsTo(calls, 'vault write');
  const auth = mounts.map((mount) => {
    const config = writes.find(({ words }) => words[2] === `auth/${mount}/config`)?.words ?? [];
    const written = writes.flatMap(({ words, flags }) => {
      const name = words[2]?.split(`auth/${mount}/role/`)[1];
      return name === undefined ? [] : [[name, roleOf(JSON.parse(flags.stdin ?? ''))]];
    });
    const issuer = config.find((word) => word.startsWith('bound_issuer='))?.replace('bound_issuer=', '') ?? '';
    return [mount, { issuer, roles: Object.fromEntries(written) }];
  });
  const put = callsTo(calls, 'vault kv put').map(({ words }) => [
    words[4],
    [{ data: { [words[5]?.split('=')[0] ?? '']: KEY }, createdAt: CREATED_AT }],
  ]);
  const kv = { secret: { version: 2 as const, secrets: Object.fromEntries(put) } };
  const root = { auth: Object.fromEntries(auth), policies: Object.fromEntries(policies), kv };
  return { host: VAULT.host, namespaces: { '': root } };
}

interface WrittenRole {
  readonly user_claim: string;
  readonly bound_audiences: readonly string[];
  readonly bound_claims: Readonly<Record<string, string>>;
  readonly token_policies: readonly string[];
}

function roleOf({ user_claim, bound_audiences, bound_claims, token_policies }: WrittenRole) {
  return {
    userClaim: user_claim,
    boundAudiences: bound_audiences,
    boundClaims: bound_claims,
    policies: token_policies,
    tokenTtlSeconds: 300,
  };
}

interface Statement {
  readonly Principal: { readonly Federated: string };
  readonly Condition: Readonly<Partial<Record<'StringEquals' | 'StringLike', Readonly<Record<string, string>>>>>;
  readonly Resource: string;
}

/** The AWS account that they make of an empty one. */
export function awsOf(calls: readonly Call[]): BrokersOptions['aws'] {
  const statements = (document = ''): readonly Statement[] => JSON.parse(document).Statement;
  return {
    accountId: AWS.accountId,
    identityProviders: callsTo(calls, 'aws iam create-open-id-connect-provider').map(({ flags }) => ({
      issuer: flags.url ?? '',
      clientIds: [flags['client-id-list'] ?? ''],
    })),
    roles: callsTo(calls, 'aws iam create-role').map(({ flags }) => ({
      name: flags['role-name'] ?? '',
      maxSessionSeconds: 3600,
      trust: statements(flags['assume-role-policy-document']).map(({ Principal, Condition }) => {
        const provider = Principal.Federated.replace(/^.*:oidc-provider\//, '');
        return {
          issuer: `https://${provider}`,
          stringEquals: conditions(Condition.StringEquals, provider),
          stringLike: conditions(Condition.StringLike, provider),
        };
      }),
      readableSecrets: callsTo(calls, 'aws iam put-role-policy')
        .filter((call) => call.flags['role-name'] === flags['role-name'])
        .flatMap((call) => statements(call.flags['policy-document']).map(({ Resource }) => Resource)),
    })),
    secrets: callsTo(calls, 'aws secretsmanager create-secret').map(({ flags: { region = '', name = '' } }) => ({
      region,
      name,
      arn: `arn:aws:secretsmanager:${region}:${AWS.accountId}:secret:${name}-a1B2c3`,
      createdAt: CREATED_AT,
      versions: [{ id: AWS.formerVersionId, stages: ['AWSCURRENT'], value: KEY }],
    })),
  };
}

function conditions(written: Readonly<Record<string, string>> = {}, provider: string) {
  return Object.fromEntries(
    Object.entries(written).map(([key, value]) => {
      if (!key.startsWith(`${provider}:`)) throw new Error(`not a condition key of ${provider}: ${key}`);
      return [key.slice(provider.length + 1), [value]];
    }),
  );
}

/** The Azure tenant that they make of one with an empty vault. */
export function azureOf(calls: readonly Call[]): BrokersOptions['azure'] {
  const credentials = callsTo(calls, 'az ad app federated-credential create').map(({ flags }) => {
    if (flags.id !== AZURE.clientId) throw new Error('a credential of another application');
    const { issuer, subject, audiences } = JSON.parse(flags.parameters ?? '');
    return { issuer, subject, audience: audiences[0] };
  });
  const readers = callsTo(calls, 'az role assignment create').map(({ flags }) => {
    if (flags.role !== 'Key Vault Secrets User') throw new Error(`not a role to read secrets: ${flags.role}`);
    return { clientId: flags.assignee ?? '', scope: flags.scope ?? '' };
  });
  const set = callsTo(calls, 'az keyvault secret set');
  return {
    tenantId: AZURE.tenantId,
    tenantDomain: 'acme.onmicrosoft.com',
    applications: [{ clientId: AZURE.clientId, federatedCredentials: credentials }],
    vaults: [...new Set(set.map(({ flags }) => flags['vault-name'] ?? ''))].map((name) => ({
      name,
      readers: readers.flatMap(({ clientId, scope }) => (scope.startsWith(`/vaults/${name}/`) ? [clientId] : [])),
      secrets: Object.fromEntries(
        set.map(({ flags }) => [flags.name, [{ id: AZURE.formerVersion, value: KEY, createdAt: CREATED_AT }]]),
      ),
    })),
  };
}
