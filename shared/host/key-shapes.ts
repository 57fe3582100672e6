/**
 * Keys and tokens that are known by their shape: JSON Web Tokens (RFC 7519), Databricks, Prefect, GitHub, GitLab, Slack, AWS, Google, Vercel, Vault,
 * Buildkite, Atlassian, OpenAI and the like, npm, Hugging Face, Groq, Docker, PyPI, Stripe, Linear, SendGrid, Azure, private keys (RFC 7468), and the login in an address.
 */
export const KEY_SHAPES = new RegExp(
  [
    /eyJ[\w-]{12,}(?:\.[\w-]*)*/,
    /\b(?:dapi|dkea|dose)[0-9a-f]{16,}(?:-\d+)?/,
    /\b(?:pnu|pnb)_\w{16,}/,
    /\b(?:gh[opsur]_\w{16,}|github_pat_\w{16,}|gl(?:pat|ptt|dt|rt|cbt)-[\w-]{16,})/,
    /\bxox[a-z]-[\w-]{10,}/,
    // With a digit, as nearly all have: regions of a cloud are called ASIAPACIFIC….
    /\b(?:AKIA|ASIA)(?=[A-Z]{0,15}\d)[A-Z0-9]{12,}/,
    /\bya29\.[\w.-]{10,}|\bAIza[\w-]{20,}/,
    /\bvc[apkri]_\w{16,}/,
    /\bhv[bsr]\.[\w.-]{16,}/,
    /\b(?:bkua|bkct|bkaj|bkp[aso])_\w{16,}/,
    // The letters alone could be those of a gene.
    /\bAT(?:(?:ATT|CTT)3x|BB)\w{16,}/,
    // Not the name of a job or an image that begins with sk-.
    /\bsk-(?:[a-z]{2,8}-)?(?=[\w-]{0,60}\d)(?=[\w-]{0,60}[A-Z])[\w-]{20,}/,
    // Without underscores: names in code begin like these, too.
    /\b(?:npm|hf|gsk|lin_api)_[A-Za-z0-9]{20,}/,
    /\b(?:GOCSPX-|dckr_[op]at_|pypi-AgE|[sr]k_(?:live|test)_|xapp-\d-)[\w-]{20,}/,
    /\bSG\.[\w-]{16,}\.[\w-]{16,}/,
    /\b[\w.~-]{3}8Q~[\w.~-]{30,}/,
    /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]{0,20000}(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?/,
    /(?<=:\/\/)[^\s/?#@"'<>]{1,500}:[^\s/?#@"'<>]{1,500}(?=@)/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'g',
);

/** Runs of the characters that keys are made of. */
const WORD = /[\w+/=.~-]{20,}/g;
/** Ids of Vercel: as random as keys, and no secrets. */
const PUBLIC_ID = /^(?:team|prj|dpl|cl)_\w+$/;
/** How often the sort of character changes in a random text, at least; in names and paths it does so seldom. */
const CHANGES = 0.3;

/** Whether a text holds what has the shape of a key, or looks random enough to be one. */
export function looksLikeKey(text: string): boolean {
  return text.search(KEY_SHAPES) >= 0 || (text.match(WORD) ?? []).some(isRandom);
}

/** The text without what looks like a key. */
export function withoutKeys(text: string): string {
  return text.replace(KEY_SHAPES, '[redacted]').replace(WORD, (word) => (isRandom(word) ? '[redacted]' : word));
}

function isRandom(word: string): boolean {
  if (PUBLIC_ID.test(word)) return false;
  if (/^(?=.*\d)(?=.*[a-f])[\da-f]{32,}$/i.test(word)) return true;
  const sorts = [...word].map(sortOf);
  const changes = sorts.filter((sort, index) => index > 0 && sort !== sorts[index - 1]).length;
  if (changes < CHANGES * word.length) return false;
  // Hosts and ids in words are of small letters and digits too, but have separators.
  return ['a', 'A', '0'].every((sort) => sorts.includes(sort)) || /^(?:[a-z\d]+|[A-Z\d]+)$/.test(word);
}

function sortOf(character: string): string {
  if (/\d/.test(character)) return '0';
  if (/[a-z]/.test(character)) return 'a';
  return /[A-Z]/.test(character) ? 'A' : '-';
}
