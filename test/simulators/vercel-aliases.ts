import { parseJsonObject } from './json-object.ts';
import { fields, text } from './vercel-body-shape.ts';
import { isUnderWay } from './vercel-deployment-life.ts';
import type { Deployment, DeploymentStore } from './vercel-deployment-store.ts';
import { badRequest, forbidden, refusal } from './vercel-errors.ts';

const body = fields({ alias: text });

/** `POST /v2/deployments/{id}/aliases` (https://vercel.com/docs/rest-api/aliases/assign-an-alias). */
export function assignAlias(json: string, deployment: Deployment, store: DeploymentStore, now: number): Response {
  const value = parseJsonObject(json);
  if (value === undefined) return badRequest('Invalid JSON');
  const problem = body(value, '');
  if (problem !== undefined) return badRequest(`Invalid request: ${problem}.`);
  const alias = String(value.alias);
  if (!/^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/.test(alias))
    return refusal(400, 'invalid_alias', `The alias ${alias} is invalid.`);
  const { team } = deployment;
  const { state } = store.momentOf(deployment);

  const owned = (domains: readonly string[]) =>
    domains.some((domain) => alias === domain || alias.endsWith(`.${domain}`));
  if (!owned([...team.domains, 'vercel.app'])) {
    return forbidden(`You don't have access to the domain ${alias}.`);
  }
  if (owned(team.domainsWithoutCertificate ?? [])) {
    return refusal(400, 'cert_missing', `The certificate for ${alias} is missing.`);
  }
  if (state !== 'READY' && !isUnderWay(state)) return refusal(410, 'gone', `The deployment is ${state}.`);
  if (state !== 'READY') {
    return refusal(400, 'deployment_not_ready', 'The deployment is not ready.');
  }
  const holder = store.at(alias);
  if (holder !== undefined && holder.team !== team)
    return refusal(403, 'alias_in_use', `The alias ${alias} is in use.`);
  if (holder === deployment) {
    return refusal(409, 'not_modified', `The alias ${alias} is already assigned to the deployment.`, {
      uid: aliasId(alias),
      alias,
    });
  }
  store.assign(alias, deployment);
  return Response.json({
    uid: aliasId(alias),
    alias,
    created: new Date(now).toISOString(),
    ...(holder === undefined ? {} : { oldDeploymentId: holder.id }),
  });
}

/** The id of an alias. */
export function aliasId(alias: string): string {
  return `als_${alias.replaceAll(/[^a-z0-9]/g, '_')}`;
}
