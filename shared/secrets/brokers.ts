import { awsSecretsManager } from './aws/secrets-manager.ts';
import { azureKeyVault } from './azure/key-vault.ts';
import type { Broker } from './broker.ts';
import { googleSecretManager } from './google/secret-manager.ts';
import { vault } from './vault/vault.ts';

/** Every broker that `secret-from` knows. */
export const BROKERS: readonly Broker[] = [googleSecretManager, vault, awsSecretsManager, azureKeyVault];
