import { AwsV4Signer } from 'aws4fetch';
import type { HttpCall } from '../../http/http.ts';
import { Secret } from '../../secret.ts';
import type { AwsKeys } from './sts.ts';

/**
 * A request with the headers of Signature Version 4. Loaded only when a request to AWS is made.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
 */
export async function signed(
  call: HttpCall & { readonly body: string },
  scope: { readonly service: string; readonly region: string },
  keys: AwsKeys,
  now: number,
): Promise<HttpCall> {
  const signer = new AwsV4Signer({
    ...call,
    ...scope,
    accessKeyId: keys.accessKeyId.reveal(),
    secretAccessKey: keys.secretAccessKey.reveal(),
    sessionToken: keys.sessionToken.reveal(),
    datetime: new Date(now).toISOString().replace(/[:-]|\.\d{3}/g, ''),
    // AWS wants the content type among what is signed.
    allHeaders: true,
  });
  const { headers } = await signer.sign();
  const header = (name: string): string => headers.get(name) ?? '';
  return {
    ...call,
    headers: { ...call.headers, 'x-amz-date': header('x-amz-date') },
    secretHeaders: {
      authorization: new Secret(header('authorization')),
      'x-amz-security-token': new Secret(header('x-amz-security-token')),
    },
  };
}
