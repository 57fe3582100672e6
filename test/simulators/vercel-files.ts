import { createHash } from 'node:crypto';
import type { Scope } from './vercel-access.ts';
import { badRequest, forbidden } from './vercel-errors.ts';

export interface Upload {
  readonly sha: string;
  readonly size: number;
}

export interface UploadCounts {
  /** In the order in which they were answered; of repeated uploads each. */
  readonly uploads: readonly Upload[];
  readonly bytes: number;
  readonly mostParallel: number;
}

export interface VercelFiles {
  readonly upload: (request: Request, scope: Scope) => Promise<Response>;
  /** Whether a team has a file of this hash and size. */
  readonly has: (teamId: string, upload: Upload) => boolean;
  readonly counts: () => UploadCounts;
  /** Every upload waits for this before it is answered, so that a test can see how many run at once. */
  readonly holdUploads: (hold: () => Promise<void>) => void;
  /** The next uploads are answered as if they were kept, and are not. */
  readonly loseUploads: (times: number) => void;
}

/**
 * Takes files for deployments (https://vercel.com/docs/rest-api/deployments/upload-deployment-files). Of the bytes only
 * hash and length are kept. With `refuseLimitedTokens`, tokens that are limited to projects may not upload.
 */
export function vercelFiles(options: { readonly refuseLimitedTokens?: boolean } = {}): VercelFiles {
  const kept = new Map<string, number>();
  const uploads: Upload[] = [];
  let running = 0;
  let mostParallel = 0;
  let toLose = 0;
  let hold = async () => {};

  const upload = async (request: Request, { principal, team }: Scope): Promise<Response> => {
    if (options.refuseLimitedTokens === true && !principal.projectIds.includes('*')) return forbidden();
    if (!principal.mayDeploy) return forbidden();
    const { headers } = request;
    const digests = ['x-vercel-digest', 'x-now-digest'].flatMap((name) => headers.get(name) ?? []);
    const [digest] = digests;
    if (digest === undefined) return badRequest('Missing required header: `x-vercel-digest`.');
    if (digests.some((each) => each !== digest)) return badRequest('The digest headers contradict each other.');
    if (!/^[0-9a-f]{40}$/.test(digest)) return badRequest('The digest header is not a SHA1.');
    const length = headers.get('content-length');
    if (length === null) return badRequest('Missing required header: `content-length`.');

    const bytes = new Uint8Array(await request.arrayBuffer());
    const sizes = [length, headers.get('x-now-size') ?? length].map(Number);
    if (sizes.some((size) => size !== bytes.length)) {
      return badRequest(`The size of the file is ${bytes.length}, but the headers say ${sizes.join(' and ')}.`);
    }
    const sha = createHash('sha1').update(bytes).digest('hex');
    if (sha !== digest) return badRequest(`The SHA1 of the file is ${sha}, but the digest header says ${digest}.`);

    uploads.push({ sha, size: bytes.length });
    if (toLose > 0) toLose -= 1;
    else kept.set(`${team.id}/${sha}`, bytes.length);
    return Response.json({ urls: [] });
  };

  return {
    upload: async (request, scope) => {
      running += 1;
      mostParallel = Math.max(mostParallel, running);
      try {
        await hold();
        return await upload(request, scope);
      } finally {
        running -= 1;
      }
    },
    has: (teamId, { sha, size }) => kept.get(`${teamId}/${sha}`) === size,
    counts: () => ({ uploads: [...uploads], bytes: uploads.reduce((sum, { size }) => sum + size, 0), mostParallel }),
    holdUploads: (next) => {
      hold = next;
    },
    loseUploads: (times) => {
      toLose = times;
    },
  };
}
