import { isLoopback } from '../../http/http.ts';
import { type Faults, required, type Settings, type SettingValues, text } from '../../settings/settings.ts';
import type { DatabricksTrust } from './trust.ts';

// AWS, Azure and Google, their government and China clouds, and customers' own names below databricks.com.
const HOST =
  /^(?:https:\/\/)?([a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:databricks\.com|azuredatabricks\.net|databricks\.azure\.(?:us|cn)|databricks\.us|databricks\.mil))\/?(?:\?[^#\s]*)?$/;
const LOOPBACK = /^http:\/\/([a-z0-9.[\]:]+)\/?$/;

/** Settings of every kind that works under Databricks' workload identity federation. */
export const databricksSettings = {
  host: required(
    text({
      description:
        "The workspace's host. An address copied from the browser will do; of what follows the name, the workspace's id (`/?o=…`) is used, which unified hosts need.",
      expected: "a workspace's host such as dbc-a1b2c3d4-e5f6.cloud.databricks.com or adb-123.4.azuredatabricks.net",
      example: 'dbc-a1b2c3d4-e5f6.cloud.databricks.com',
      pattern: new RegExp(`${HOST.source}|${LOOPBACK.source}`),
    }),
  ),
  'client-id': text({
    description:
      "The service principal's application id. Left out only with an account-wide federation policy, which tokens of a CI normally do not match.",
    expected: 'an application id (a UUID)',
    example: '5f0f2d0a-7c1e-4b3e-9d57-3f6c2f1f7a10',
    pattern: /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  }),
  audience: text({
    description:
      "The audience of the CI's OIDC token: one that the federation policy lists, or the account id for a policy without audiences. By default the workspace's token endpoint.",
    expected: 'an audience that the federation policy allows',
    example: 'https://dbc-a1b2c3d4-e5f6.cloud.databricks.com/oidc/v1/token',
  }),
} satisfies Settings;

/** The trust that the settings describe, with a fault for a host given with `http://` that is not this machine itself. */
export function databricksTrust(values: SettingValues<typeof databricksSettings>, faults: Faults): DatabricksTrust {
  const loopback = LOOPBACK.exec(values.host)?.[1];
  if (loopback !== undefined && !isLoopback(URL.parse(`http://${loopback}`)?.hostname ?? ''))
    faults.add('host', 'only https is allowed, except for http on this machine itself');
  const host = loopback ?? HOST.exec(values.host)?.[1] ?? values.host;
  const origin = loopback === undefined ? `https://${host}` : `http://${host}`;
  const workspaceId = /[?&](?:o|w|workspace_id)=(\d+)/.exec(values.host)?.[1];
  return {
    host,
    origin,
    workspaceId,
    clientId: values['client-id'],
    audience: values.audience ?? `${origin}/oidc/v1/token`,
    acceptsDefault: values.audience === undefined,
  };
}
