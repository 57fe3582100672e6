import type { DatabricksOptions } from '../simulators/databricks.ts';
import type { Binding, GoogleOptions, WorkloadIdentityProvider } from '../simulators/google.ts';
import { DATABRICKS, GOOGLE } from '../simulators/tenant.ts';
import { type Call, callsTo } from './recorded-shell.ts';

const PROVIDERS = 'gcloud iam workload-identity-pools providers';

type GoogleTrust = Pick<GoogleOptions, 'providers' | 'serviceAccounts' | 'projects'>;

/** The Google Cloud that a page's commands make of an empty project. */
export function googleTrust(calls: readonly Call[]): GoogleTrust {
  const { project, projectNumber } = GOOGLE;
  const accounts = callsTo(calls, 'gcloud iam service-accounts create').map(
    ({ words, flags }) => `${words.at(-1)}@${flags.project}.iam.gserviceaccount.com`,
  );
  const pools = callsTo(calls, 'gcloud iam workload-identity-pools create').map(({ words }) => words.at(-1));
  const providers = new Map<string, WorkloadIdentityProvider>();
  for (const { words, flags } of callsTo(calls, PROVIDERS)) {
    const id = words.at(-1) ?? '';
    if (!pools.includes(flags['workload-identity-pool'])) throw new Error(`${id} is in a pool that nobody created`);
    if (words.at(-2) === 'create-oidc') {
      providers.set(id, {
        projectNumber,
        pool: flags['workload-identity-pool'] ?? '',
        provider: id,
        issuer: flags['issuer-uri'] ?? '',
        attributeMapping: Object.fromEntries(
          (flags['attribute-mapping'] ?? '').split(',').map((entry) => entry.split(/=(.*)/s).slice(0, 2)),
        ),
      });
    }
    const provider = providers.get(id);
    if (provider === undefined) throw new Error(`${id} is changed or described before it is created`);
    providers.set(id, {
      ...provider,
      ...(flags['attribute-condition'] === undefined ? {} : { attributeCondition: flags['attribute-condition'] }),
      ...(flags['allowed-audiences'] === undefined ? {} : { allowedAudiences: flags['allowed-audiences'].split(',') }),
    });
  }
  return {
    providers: [...providers.values()],
    serviceAccounts: accounts.map((email) => ({
      email,
      bindings: bindings(callsTo(calls, `gcloud iam service-accounts add-iam-policy-binding ${email}`)),
    })),
    projects: [
      {
        id: project,
        number: projectNumber,
        bindings: bindings(callsTo(calls, `gcloud projects add-iam-policy-binding ${project}`)),
      },
    ],
  };
}

function bindings(calls: readonly Call[]): readonly Binding[] {
  return calls.map(({ flags: { role = '', member = '' } }) => ({ role: role as Binding['role'], member }));
}

/** The policies and members that a page's commands make. The service principal's ids are those that the page itself names. */
export function databricksTrust(calls: readonly Call[]): Required<Pick<DatabricksOptions, 'policies' | 'members'>> {
  const { clientId, workspaceId } = DATABRICKS;
  return {
    policies: callsTo(calls, 'databricks account service-principal-federation-policy create').map(({ flags }) => {
      const { oidc_policy: policy } = JSON.parse(flags.json ?? '') as { oidc_policy: Record<string, string> };
      const { issuer = '', subject = '', subject_claim: subjectClaim, audiences = [], ...others } = policy;
      if (Object.keys(others).length > 0) throw new Error(`not members of a policy: ${Object.keys(others)}`);
      return {
        clientId,
        issuer,
        subject,
        audiences: audiences as readonly string[],
        ...(subjectClaim === undefined ? {} : { subjectClaim }),
      };
    }),
    members: callsTo(calls, `databricks account workspace-assignment update ${workspaceId}`).map(() => clientId),
  };
}

/** Attributes of one Terraform resource, as far as they are text, with the page's locals filled in. */
export function terraformAttributes(hcl: string, type: string, name: string): Readonly<Record<string, string>> {
  const block = hcl.split(`resource "${type}" "${name}" {`)[1]?.split(/^\}$/m)[0];
  if (block === undefined) throw new Error(`there is no ${type} ${name}`);
  const locals = new Map(textAttributes(hcl.split('locals {')[1]?.split(/^\}$/m)[0] ?? ''));
  const filled = (text: string) =>
    text.replace(/\$\{local\.(\w+)\}/g, (_all, local: string) => locals.get(local) ?? '');
  const quoted = block.replace(/= \[?local\.(\w+)\]?$/gm, (_all, local: string) => `= "${locals.get(local) ?? ''}"`);
  return Object.fromEntries(textAttributes(quoted).map(([key, text]) => [key, filled(text)]));
}

function textAttributes(block: string): readonly (readonly [string, string])[] {
  return [...block.matchAll(/^\s*"?([\w.]+)"?\s*= "(.*)"$/gm)].map(([, key = '', text = '']) => [key, text] as const);
}
