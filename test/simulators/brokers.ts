import { type AwsOptions, type AwsSimulator, awsSimulator } from './aws.ts';
import { type AzureOptions, type AzureSimulator, azureSimulator } from './azure.ts';
import type { Handler } from './serve.ts';
import { type VaultOptions, type VaultSimulator, vaultSimulator } from './vault.ts';

interface Surroundings {
  /** Reaches the issuers' discovery documents and keys. */
  readonly outbound: (url: string) => Promise<Response>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export interface BrokersOptions extends Surroundings {
  readonly vault: Omit<VaultOptions, keyof Surroundings>;
  readonly aws: Omit<AwsOptions, keyof Surroundings>;
  readonly azure: Omit<AzureOptions, keyof Surroundings>;
}

/** The services outside Google that give a secret to whom a CI token proves to be entitled. */
export interface SecretBrokers {
  readonly vault: VaultSimulator;
  readonly aws: AwsSimulator;
  readonly azure: AzureSimulator;
  readonly hosts: (host: string) => Handler | undefined;
  /** Every token, secret key and session token that one of them issued. */
  issuedTokens(): readonly string[];
}

/** One company's Vault, AWS account and Azure key vaults. */
export function secretBrokers(options: BrokersOptions): SecretBrokers {
  const { outbound, now } = options;
  const vault = vaultSimulator({ ...options.vault, outbound, now });
  const aws = awsSimulator({ ...options.aws, outbound, now });
  const azure = azureSimulator({ ...options.azure, outbound, now });
  const all = [vault, aws, azure];
  return {
    vault,
    aws,
    azure,
    hosts: (host) => vault.hosts(host) ?? aws.hosts(host) ?? azure.hosts(host),
    issuedTokens: () => all.flatMap((broker) => broker.issuedTokens()),
  };
}
