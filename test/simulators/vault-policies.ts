export type Capability = 'create' | 'read' | 'update' | 'delete' | 'list';

/** The paths of a policy, relative to its namespace, and what may be done there. */
export type VaultPolicy = Readonly<Record<string, readonly Capability[]>>;

const CAPABILITIES: Readonly<Record<string, Capability>> = {
  GET: 'read',
  POST: 'update',
  PUT: 'update',
  DELETE: 'delete',
  LIST: 'list',
};

/** What a request's method asks for; undefined for a method that Vault does not know. */
export function capabilityOf(method: string): Capability | undefined {
  return CAPABILITIES[method];
}

/** Whether one of the policies allows it: `+` stands for one segment, a `*` at the end for any rest (https://developer.hashicorp.com/vault/docs/concepts/policies). */
export function policiesAllow(policies: readonly VaultPolicy[], path: string, capability: Capability): boolean {
  return policies.some((policy) =>
    Object.entries(policy).some(
      ([pattern, capabilities]) => capabilities.includes(capability) && covers(pattern, path),
    ),
  );
}

function covers(pattern: string, path: string): boolean {
  const open = pattern.endsWith('*');
  const wanted = (open ? pattern.slice(0, -1) : pattern).split('/');
  const actual = path.split('/');
  if (open ? actual.length < wanted.length : actual.length !== wanted.length) return false;
  return wanted.every((segment, index) => {
    const other = actual[index] ?? '';
    if (segment === '+') return other !== '';
    return open && index === wanted.length - 1 ? other.startsWith(segment) : other === segment;
  });
}
