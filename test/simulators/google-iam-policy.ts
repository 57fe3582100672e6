import type { Caller } from './google-access-tokens.ts';
import { JOB_COLLECTIONS, type JobCollectionName } from './vertex-job-collections.ts';

/** One line of a resource's IAM policy. */
export interface Binding {
  readonly role: Role;
  readonly member: string;
}

/** A service account with the policy on itself. Arrays and flags are read at each request, so a test may change them. */
export interface ServiceAccount {
  readonly email: string;
  readonly uniqueId?: string;
  readonly bindings: readonly Binding[];
  /** Listed under `constraints/iam.allowServiceAccountCredentialLifetimeExtension`. */
  readonly lifetimeExtension?: boolean;
}

/** A project with the policy on it. */
export interface Project {
  readonly id: string;
  readonly number: string;
  readonly bindings: readonly Binding[];
}

/** The permissions of the predefined roles, as far as the simulated methods ask for them (https://cloud.google.com/iam/docs/roles-permissions). */
const PERMISSIONS = {
  'roles/iam.workloadIdentityUser': ['iam.serviceAccounts.getAccessToken', 'iam.serviceAccounts.getOpenIdToken'],
  'roles/iam.serviceAccountTokenCreator': [
    'iam.serviceAccounts.getAccessToken',
    'iam.serviceAccounts.getOpenIdToken',
    'iam.serviceAccounts.implicitDelegation',
    'iam.serviceAccounts.signBlob',
    'iam.serviceAccounts.signJwt',
  ],
  'roles/iam.serviceAccountOpenIdTokenCreator': ['iam.serviceAccounts.getOpenIdToken'],
  'roles/iam.serviceAccountUser': ['iam.serviceAccounts.actAs'],
  'roles/aiplatform.user': onJobs('cancel', 'create', 'delete', 'get', 'list'),
  'roles/aiplatform.viewer': onJobs('get', 'list'),
  'roles/secretmanager.secretAccessor': ['secretmanager.versions.access'],
} as const;

export type Role = keyof typeof PERMISSIONS;
export type Permission = (typeof PERMISSIONS)[Role][number];

function onJobs<Verb extends string>(...verbs: readonly Verb[]): `aiplatform.${JobCollectionName}.${Verb}`[] {
  const collections = Object.keys(JOB_COLLECTIONS) as JobCollectionName[];
  return collections.flatMap((name) => verbs.map((verb) => `aiplatform.${name}.${verb}` as const));
}

/** Whether a policy gives a caller a permission. */
export function allows(bindings: readonly Binding[], caller: Caller, permission: Permission): boolean {
  return bindings.some(
    ({ role, member }) =>
      caller.members.includes(member) && (PERMISSIONS[role] as readonly string[]).includes(permission),
  );
}

/** A service account as a caller. */
export function serviceAccountCaller(email: string): Caller {
  return { identity: email, members: [`serviceAccount:${email}`] };
}
