import { createHash } from 'node:crypto';
import pMap from 'p-map';
import { SubmitError } from '../../errors.ts';
import type { Files } from '../../files.ts';
import { type Answer, type HttpCall, isSuccess, type StreamedBody } from '../../http/http.ts';
import type { Session } from '../../identity/session.ts';
import { plainLine } from '../../remote-text.ts';
import { uploadCall, type VercelCall } from './api.ts';
import { GUIDE, missingFiles } from './errors.ts';
import { changed, contents, type HashedFile } from './hash-files.ts';
import { amountOf, describeAmount, progress } from './progress.ts';

/** Small files wait for answers, large ones for the line: more of those at once would only take each other's time. */
const SMALL_BYTES = 256 * 1024;
const SMALL_AT_ONCE = 50;
const LARGE_AT_ONCE = 8;
const NAMED = 10;

/**
 * Giving the service the files that it does not have.
 * https://vercel.com/docs/rest-api/deployments/upload-deployment-files
 */
export function fileUploads(
  list: readonly HashedFile[],
  files: Files,
  call: VercelCall,
  explain: (call: HttpCall, answer: Answer) => SubmitError,
) {
  // The same contents are uploaded once, whatever names they have.
  const bySha = new Map(list.map((file) => [file.sha, file]));
  const uploaded = new Set<string>();

  const upload = async (file: HashedFile, session: Session): Promise<void> => {
    const stale = new AbortController();
    const body: StreamedBody = { bytes: file.bytes, open: () => verified(file, files, stale) };
    const request = uploadCall(call, file.sha, body);
    const until = AbortSignal.any([session.signal, stale.signal]);
    const answer = await session
      .until(until)
      .persist(request)
      .catch((error: unknown) => {
        throw stale.signal.aborted ? stale.signal.reason : error;
      });
    if (!isSuccess(answer)) throw explain(request, answer);
    uploaded.add(file.sha);
  };

  return {
    /** How many files were uploaded so far. */
    count: (): number => uploaded.size,
    /** Uploads what a refused deployment asks for; false when it is refused for another reason. */
    supply: async (refusal: Answer, session: Session): Promise<boolean> => {
      const missing = missingFiles(refusal);
      if (missing === undefined || missing.length === 0) return false;
      const wanted = [...new Set(missing)].map((sha) => bySha.get(sha));
      const known = wanted.filter((file) => file !== undefined);
      if (known.length < wanted.length) throw neverListed(missing.filter((sha) => !bySha.has(sha)));
      const again = known.filter(({ sha }) => uploaded.has(sha));
      if (again.length > 0) throw missingAgain(again);

      const { clock, log, signal } = session;
      const amount = amountOf(known);
      log.info(`uploading ${describeAmount(amount)} that Vercel does not have yet`);
      const report = progress('uploaded', amount, clock, log);
      const stop = new AbortController();
      const stoppable = session.until(AbortSignal.any([signal, stop.signal]));
      const send = async (file: HashedFile) => {
        await upload(file, stoppable);
        report({ files: 1, bytes: file.bytes });
      };
      const isSmall = ({ bytes }: HashedFile) => bytes <= SMALL_BYTES;
      try {
        await pMap(known.filter(isSmall), send, { concurrency: SMALL_AT_ONCE });
        const large = known.filter((file) => !isSmall(file));
        await pMap(large, send, { concurrency: LARGE_AT_ONCE });
      } catch (error) {
        stop.abort();
        throw error;
      }
      return true;
    },
  };
}

/** The file's bytes, as long as they are the ones that were hashed. */
async function* verified(file: HashedFile, files: Files, stale: AbortController): AsyncIterable<Uint8Array> {
  const hash = createHash('sha1');
  try {
    for await (const chunk of contents(file, files)) {
      hash.update(chunk);
      yield chunk;
    }
    if (hash.digest('hex') !== file.sha) throw changed(file);
  } catch (error) {
    stale.abort(error);
    throw error;
  }
}

function missingAgain(again: readonly HashedFile[]): SubmitError {
  const names = again
    .slice(0, NAMED)
    .map(({ name, sha, bytes }) => `${plainLine(name, 200)} (sha1 ${sha}, ${bytes} bytes)`);
  return new SubmitError('request-rejected', {
    happened: `Vercel still misses ${again.length === 1 ? 'a file that was' : `${again.length} files that were`} uploaded`,
    presented: [...names, ...(again.length > NAMED ? [`and ${again.length - NAMED} more`] : [])],
    expected: ['a deployment of files that are there once they are uploaded'],
    remedy: [
      'Start the step again. If it happens again, the token may upload to another place than the project: check «team».',
    ],
    link: GUIDE,
  });
}

function neverListed(shas: readonly string[]): SubmitError {
  return new SubmitError('request-rejected', {
    happened: 'Vercel asks for files that this deployment does not have',
    presented: shas.slice(0, NAMED).map((sha) => `sha1 ${plainLine(sha, 60)}`),
    remedy: ['Remove files from the spec: they come from «directory» only.'],
    link: GUIDE,
  });
}
