import { type Binding, defineKind } from '../../kind.ts';
import { originSettings, specSettings } from '../../settings/run-settings.ts';
import { choice, flag, id, list, text, withDefault } from '../../settings/settings.ts';
import { readBuildOutput } from './build-output.ts';
import { checkDeploymentSpec, deploymentBody, fileEntry } from './deployment-body.ts';
import { deploymentOutputs } from './deployment-conclusion.ts';
import { deploymentPlan } from './deployment-plan.ts';
import type { SmokeTest } from './smoke-test.ts';
import { vercelAccess, vercelSettings } from './trust-settings.ts';

const DOMAIN = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$/;

const settings = {
  ...vercelSettings,
  directory: withDefault(
    text({
      description:
        "The build to deploy: the output of `vercel build` in the checkout. Whatever stands before `.vercel/output` is the project's place in this repository and is left out of the deployment.",
      expected: 'a path in the checkout, such as .vercel/output or apps/web/.vercel/output',
      example: 'apps/web/.vercel/output',
      accepts: (path) => !path.startsWith('/') && !path.split('/').includes('..'),
    }),
    '.vercel/output',
  ),
  target: withDefault(
    choice(['production', 'preview'], {
      description:
        'Where to deploy to. `production` also points the domains of the project at the deployment, unless `skip-domain` is set.',
      expected: 'production or preview',
      example: 'production',
    }),
    'preview',
  ),
  environment: text({
    description: 'A custom environment of the project to deploy to, instead of `target`.',
    expected: "a custom environment's slug",
    example: 'staging',
    pattern: /^[a-z0-9][a-z0-9_-]*$/,
  }),
  aliases: list({
    description: 'Domains to point at the deployment when it is ready, beside those that Vercel assigns by itself.',
    expected: 'a list of domain names such as ["pr-@{build-number}.acme.example"]',
    example: ['staging.acme.example'],
    pattern: DOMAIN,
    accepts: (domain) => domain.length <= 253,
  }),
  'skip-domain': withDefault(
    flag({
      description:
        "Leave the project's domains where they are: the deployment is built for production and waits to be promoted, by `vercel-promote`.",
    }),
    false,
  ),
  'git-metadata': withDefault(
    flag({
      description:
        'Show commit, branch or tag and repository with the deployment. Never the author, who would need a seat in the team.',
    }),
    true,
  ),
  'smoke-path': text({
    description:
      "A path that the ready deployment must answer with success, asked at the deployment's own address. Else the step fails.",
    expected: 'a path that begins with /',
    example: '/api/health',
    pattern: /^\/[^\s#]*$/,
  }),
  'smoke-status': id({
    description: 'The status that `smoke-path` must answer with, where it is not one of 200 to 299.',
    expected: 'an HTTP status such as 204',
    example: '307',
    pattern: /^[1-5]\d\d$/,
  }),
  'smoke-audience': text({
    description:
      "For a deployment behind Deployment Protection: the audience that the project's Trusted Sources expect. The CI's token for it opens the deployment to the smoke test.",
    expected: "an audience of the project's Trusted Sources",
    example: 'https://vercel.com/acme',
    pattern: /^\S+$/,
  }),
  ...specSettings(
    'More of the body of `POST /v13/deployments`, such as `env` or `gitMetadata`.',
    'vercel/deployment.yaml',
  ),
  ...originSettings("the deployment's metadata", '', {
    names: /^[A-Za-z][\w.-]{0,127}$/,
    expected: 'texts by name such as {"team": "vision"}: letters, digits and _.- in names',
  }),
};

/** A deployment of a build that was made in CI. https://vercel.com/docs/rest-api/deployments/create-a-new-deployment */
export const kind = defineKind({
  id: 'vercel-deployment',
  title: 'Vercel deployment',
  settings,
  outputs: deploymentOutputs,
  checkSpec: (spec, _attach, faults) => {
    if (spec !== undefined) checkDeploymentSpec(spec, faults);
  },
  bind: async (values, binding) => {
    const { attach, context, faults, files, spec } = binding;
    const access = vercelAccess(values, binding);
    const { directory, environment, target } = values;
    if (environment !== undefined && target === 'production')
      faults.add('environment', `takes the place of a target; remove ${faults.spell('target')}`);
    const skipDomain = values['skip-domain'];
    if (!attach && skipDomain && target !== 'production')
      faults.add(
        'skip-domain',
        `only deployments to production get the project's domains; set ${faults.spell('target')}`,
        { about: ['target'] },
      );
    const smoke = smokeOf(values, binding);
    const output = attach ? [] : await readBuildOutput(directory, environment ?? target, files, faults);
    if (faults.messages.length > 0) return undefined;
    const payload = deploymentBody(spec ?? {}, values, context);
    return deploymentPlan(access, {
      // What an earlier deployment was made for, it knows itself.
      title: attach ? values.project : `${values.project}, ${environment ?? target}`,
      payload: attach ? undefined : { ...payload, files: output.map(fileEntry) },
      project: values.project,
      output,
      files,
      skipDomain,
      completion: { aliases: values.aliases ?? [], smoke },
    });
  },
});

function smokeOf(
  values: { readonly [Name in 'smoke-path' | 'smoke-status' | 'smoke-audience']: string | undefined },
  { faults }: Binding,
): SmokeTest | undefined {
  const { 'smoke-path': path, 'smoke-status': status, 'smoke-audience': audience } = values;
  for (const name of ['smoke-status', 'smoke-audience'] as const)
    if (path === undefined && values[name] !== undefined)
      faults.add(name, `needs ${faults.spell('smoke-path')}`, { about: ['smoke-path'] });
  return path === undefined ? undefined : { path, audience, status: status === undefined ? undefined : Number(status) };
}
