import { randomBytes } from 'node:crypto';
import type { AwsRole } from './aws-trust.ts';

/** The credentials of an assumed role. */
export interface AwsSession {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiresAt: number;
  readonly role: AwsRole;
  readonly arn: string;
}

export interface AwsSessions {
  open(role: AwsRole, arn: string, expiresAt: number): AwsSession;
  find(accessKeyId: string): AwsSession | undefined;
  all(): readonly AwsSession[];
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** Creates an empty store of temporary credentials (https://docs.aws.amazon.com/STS/latest/APIReference/API_Credentials.html). */
export function awsSessions(): AwsSessions {
  const sessions = new Map<string, AwsSession>();
  return {
    open: (role, arn, expiresAt) => {
      const id = [...randomBytes(16)].map((byte) => BASE32[byte % 32]).join('');
      const session: AwsSession = {
        accessKeyId: `ASIA${id}`,
        secretAccessKey: randomBytes(30).toString('base64'),
        sessionToken: `IQoJb3JpZ2luX2Vj${randomBytes(300).toString('base64')}`,
        expiresAt,
        role,
        arn,
      };
      sessions.set(session.accessKeyId, session);
      return session;
    },
    find: (accessKeyId) => sessions.get(accessKeyId),
    all: () => [...sessions.values()],
  };
}
