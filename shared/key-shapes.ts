/**
 * Keys and tokens that are known by their shape: JSON Web Tokens (RFC 7519), Databricks, Prefect, GitHub, GitLab, Slack, AWS, Google, Vercel, Vault,
 * Buildkite, Atlassian, OpenAI and the like, npm, private keys (RFC 7468), and the login in an address.
 */
export const KEY_SHAPES = new RegExp(
  [
    /eyJ[\w-]{12,}(?:\.[\w-]*)*/,
    /\b(?:dapi|dkea|dose)[0-9a-f]{16,}(?:-\d+)?/,
    /\b(?:pnu|pnb)_\w{16,}/,
    /\b(?:gh[opsur]_\w{16,}|github_pat_\w{16,}|gl(?:pat|ptt|dt|rt|cbt)-[\w-]{16,})/,
    /\bxox[a-z]-[\w-]{10,}/,
    /\b(?:AKIA|ASIA)[A-Z0-9]{12,}/,
    /\bya29\.[\w.-]{10,}|\bAIza[\w-]{20,}/,
    /\bvc[apkri]_\w{16,}/,
    /\bhv[bsr]\.[\w.-]{16,}/,
    /\b(?:bkua|bkct|bkaj|bkp[aso])_\w{16,}/,
    /\bAT(?:ATT|CTT|BB)\w{16,}/,
    /\bsk-(?:[a-z]{2,8}-)?[A-Za-z0-9_-]{20,}/,
    /\bnpm_[A-Za-z0-9]{20,}/,
    /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]{0,20000}(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?/,
    /(?<=:\/\/)[^\s/?#@"'<>]{1,500}:[^\s/?#@"'<>]{1,500}(?=@)/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'g',
);
