import { type AwsSecretRead, type AwsSecretsManagerOptions, awsSecretsManager } from './aws-secrets-manager.ts';
import { type AwsSession, awsSessions } from './aws-sessions.ts';
import { type AwsSts, type AwsStsOptions, awsSts } from './aws-sts.ts';
import type { Handler } from './serve.ts';

export type AwsOptions = Omit<AwsStsOptions, 'sessions'> & Omit<AwsSecretsManagerOptions, 'sessions'>;

export interface AwsSimulator extends Pick<AwsSts, 'refuseNext'> {
  readonly hosts: (host: string) => Handler | undefined;
  sessions(): readonly AwsSession[];
  secretReads(): readonly AwsSecretRead[];
  /** Every secret key and session token that was issued. */
  issuedTokens(): readonly string[];
}

const REGION = '[a-z]{2}(?:-[a-z]+)+-\\d';
const STS = new RegExp(`^sts(?:\\.${REGION})?\\.amazonaws\\.com$`);
const SECRETS_MANAGER = new RegExp(`^secretsmanager\\.${REGION}\\.amazonaws\\.com$`);

/** One AWS account: its token service and its secrets. */
export function awsSimulator(options: AwsOptions): AwsSimulator {
  const sessions = awsSessions();
  const sts = awsSts({ ...options, sessions });
  const secretsManager = awsSecretsManager({ ...options, sessions });
  return {
    hosts: (host) => (STS.test(host) ? sts.handle : SECRETS_MANAGER.test(host) ? secretsManager.handle : undefined),
    sessions: sessions.all,
    secretReads: secretsManager.secretReads,
    refuseNext: sts.refuseNext,
    issuedTokens: () => sessions.all().flatMap(({ secretAccessKey, sessionToken }) => [secretAccessKey, sessionToken]),
  };
}
