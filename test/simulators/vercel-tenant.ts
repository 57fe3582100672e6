import { BITBUCKET, BUILDKITE_JOB } from './tenant.ts';
import type { VercelOptions } from './vercel.ts';
import type { FederationPolicy, PolicyClaim } from './vercel-policies.ts';
import type { TrustedSource } from './vercel-trusted-sources.ts';

/** The company's team at Vercel. */
export const VERCEL = {
  teamId: 'team_acme',
  team: 'acme',
  /** Another team of the company, whose members have to sign in by SAML. */
  guardedTeamId: 'team_acmelabs',
  guardedTeam: 'acme-labs',
  projectId: 'prj_edge',
  project: 'edge',
  domain: 'edge.acme.example',
  /** A custom environment of the project. */
  environment: 'qa',
  environmentId: 'env_qa',
  environmentDomain: 'qa.edge.acme.example',
  /** A project that no policy covers. */
  otherProjectId: 'prj_shop',
  otherProject: 'shop',
  /** A domain of the team that has no certificate. */
  domainWithoutCertificate: 'new.acme.example',
  cliClientId: 'cl_HYyOPBNtFMfHhaUn9L4QPfTZz6TP47bp',
  turborepoClientId: 'cl_kyUx2zVvA4MGptBohkmtYHJly2XltXzD',
  /** The audience that policies pin: the step has to ask for it. */
  audience: 'https://vercel.com/api/login/oauth/token',
  /** The audience of tokens that open protected deployments. */
  visitorAudience: 'https://edge.acme.example',
  bypassSecret: 'simulatedProtectionBypassSecret01',
  /** The Bitbucket deployment environment that the policy for production names. */
  productionEnvironmentUuid: '{4d6f8091-3c5e-4071-9293-d4e5f6071829}',
  policies: {
    bitbucketMain: 'pol_11111111-aaaa-4bbb-8ccc-000000000001',
    bitbucketProduction: 'pol_11111111-aaaa-4bbb-8ccc-000000000002',
    buildkiteMain: 'pol_11111111-aaaa-4bbb-8ccc-000000000003',
    turborepo: 'pol_11111111-aaaa-4bbb-8ccc-000000000004',
  },
  tokens: {
    full: 'simulatedFullAccountToken00',
    project: 'vcp_simulatedProjectToken01',
    otherProject: 'vcp_simulatedProjectToken02',
    expired: 'vcp_simulatedExpiredToken03',
  },
};

const BITBUCKET_ISSUER = `https://api.bitbucket.org/2.0/workspaces/${BITBUCKET.workspace}/pipelines-config/identity/oidc`;
const BUILDKITE_ISSUER = 'https://agent.buildkite.com';

/** The team's projects, tokens and trust: each CI's builds of the main branch may deploy the one project. */
export function vercelTenant(): Omit<VercelOptions, 'outbound' | 'now'> {
  return {
    clients: [
      { clientId: VERCEL.cliClientId, name: 'Vercel CLI' },
      { clientId: VERCEL.turborepoClientId, name: 'Turborepo CLI' },
    ],
    teams: [
      {
        id: VERCEL.teamId,
        slug: VERCEL.team,
        name: 'Acme',
        domains: ['acme.example'],
        domainsWithoutCertificate: [VERCEL.domainWithoutCertificate],
      },
      { id: VERCEL.guardedTeamId, slug: VERCEL.guardedTeam, name: 'Acme Labs', saml: true, domains: [] },
      { id: 'team_globex', slug: 'globex', name: 'Globex', exchangeNotEnabled: true, domains: ['globex.example'] },
    ],
    projects: [
      {
        id: VERCEL.projectId,
        name: VERCEL.project,
        teamId: VERCEL.teamId,
        domains: [VERCEL.domain],
        customEnvironments: [
          { id: VERCEL.environmentId, slug: VERCEL.environment, domains: [VERCEL.environmentDomain] },
        ],
        trustedSources: {
          [BITBUCKET_ISSUER]: [visitors('Bitbucket', 'repositoryUuid', BITBUCKET.repositoryUuid)],
          [BUILDKITE_ISSUER]: [visitors('Buildkite', 'sub', BUILDKITE_JOB.ids.pipeline_id)],
        },
        bypassSecrets: [VERCEL.bypassSecret],
      },
      {
        id: VERCEL.otherProjectId,
        name: VERCEL.otherProject,
        teamId: VERCEL.teamId,
        domains: ['shop.acme.example'],
        customEnvironments: [],
      },
    ],
    policies: [
      mayDeploy(VERCEL.policies.bitbucketMain, 'vision on main', BITBUCKET_ISSUER, [
        claim('repositoryUuid', BITBUCKET.repositoryUuid),
        claim('branchName', 'main'),
      ]),
      mayDeploy(VERCEL.policies.bitbucketProduction, 'vision to production', BITBUCKET_ISSUER, [
        claim('repositoryUuid', BITBUCKET.repositoryUuid),
        claim('deploymentEnvironmentUuid', VERCEL.productionEnvironmentUuid),
      ]),
      mayDeploy(VERCEL.policies.buildkiteMain, 'vision on main', BUILDKITE_ISSUER, [
        claim('pipeline_id', BUILDKITE_JOB.ids.pipeline_id),
        claim('build_branch', 'main'),
      ]),
      {
        ...mayDeploy(VERCEL.policies.turborepo, 'remote cache', BITBUCKET_ISSUER, [
          claim('workspaceUuid', BITBUCKET.workspaceUuid),
        ]),
        clientId: VERCEL.turborepoClientId,
        permissions: ['read-write:remote-cache'],
      },
    ],
    personalTokens: [
      { token: VERCEL.tokens.full, kind: 'full', teamIds: [VERCEL.teamId, VERCEL.guardedTeamId] },
      { token: VERCEL.tokens.project, kind: 'project', teamIds: [VERCEL.teamId], projectIds: [VERCEL.projectId] },
      {
        token: VERCEL.tokens.otherProject,
        kind: 'project',
        teamIds: [VERCEL.teamId],
        projectIds: [VERCEL.otherProjectId],
      },
      {
        token: VERCEL.tokens.expired,
        kind: 'project',
        teamIds: [VERCEL.teamId],
        projectIds: [VERCEL.projectId],
        expiresAt: Date.parse('2026-01-01T00:00:00Z'),
      },
    ],
  };
}

function mayDeploy(
  policyId: string,
  name: string,
  issuerUrl: string,
  claims: readonly PolicyClaim[],
): FederationPolicy {
  return {
    policyId,
    teamId: VERCEL.teamId,
    clientId: VERCEL.cliClientId,
    issuerUrl,
    name,
    claims: [claim('aud', VERCEL.audience), ...claims],
    permissions: ['*'],
    projectIds: [VERCEL.projectId],
  };
}

function claim(name: string, value: string): PolicyClaim {
  return { name, values: [{ value, wildcards: false }] };
}

function visitors(label: string, name: string, value: string): TrustedSource {
  return {
    label,
    claims: { aud: [VERCEL.visitorAudience], [name]: [value] },
    to: { slugs: ['production', 'preview', VERCEL.environment] },
  };
}
