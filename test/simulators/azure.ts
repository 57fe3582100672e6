import { type AzureKeyVaultOptions, azureKeyVaults } from './azure-key-vault.ts';
import { type AzureAccessToken, type AzureLoginOptions, azureLogin } from './azure-login.ts';
import type { Handler } from './serve.ts';

export type AzureOptions = AzureLoginOptions & Omit<AzureKeyVaultOptions, 'tokens'>;

export interface AzureSimulator {
  readonly hosts: (host: string) => Handler | undefined;
  tokens(): readonly AzureAccessToken[];
  issuedTokens(): readonly string[];
}

/** One Microsoft Entra tenant and the key vaults that trust it. */
export function azureSimulator(options: AzureOptions): AzureSimulator {
  const { handle, tokens } = azureLogin(options);
  const vaults = azureKeyVaults({ ...options, tokens });
  return {
    hosts: (host) => (host === 'login.microsoftonline.com' ? handle : vaults.hosts(host)),
    tokens,
    issuedTokens: () => tokens().map(({ token }) => token),
  };
}
