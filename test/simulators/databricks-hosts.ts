const CLOUDS = [
  { domain: 'cloud.databricks.com', cloud: 'AWS' },
  { domain: 'gcp.databricks.com', cloud: 'GCP' },
  { domain: 'azuredatabricks.net', cloud: 'Azure' },
] as const;

/** Names the cloud and the account console that a workspace host belongs to. */
export function cloudOf(workspaceHost: string): { readonly cloud: string; readonly accountsHost: string } {
  const found = CLOUDS.find(({ domain }) => workspaceHost.endsWith(`.${domain}`));
  if (found === undefined) throw new Error(`${workspaceHost} is no Databricks workspace host`);
  return { cloud: found.cloud, accountsHost: `accounts.${found.domain}` };
}

/** A unified host serves many workspaces, so each workspace call has to name its own; an ordinary host needs no header. */
export function namesWorkspace(
  request: Request,
  { workspaceId, unified = false }: { readonly workspaceId: string; readonly unified?: boolean },
): boolean {
  const named = request.headers.get('x-databricks-workspace-id');
  return named === null ? !unified : named === workspaceId;
}
