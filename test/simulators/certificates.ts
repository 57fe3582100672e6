import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIPv4 } from 'node:net';

/** What a TLS server needs, as PEM texts. */
export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

export interface CertificateOptions {
  /** Host names and IPv4 addresses that it is for. */
  readonly names: readonly string[];
  /** Days from now between which it is valid. */
  readonly days?: readonly [from: number, to: number];
}

export interface Authority {
  /** Its own certificate, as PEM text. */
  readonly cert: string;
  issue(options: CertificateOptions): Certificate;
}

interface Issuer {
  readonly name: string;
  readonly key: KeyObject;
}

const VALID: readonly [number, number] = [-1, 30];

/** A certificate authority that nobody trusts yet. */
export function createAuthority(name = 'Test authority'): Authority {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issuer = { name, key: keys.privateKey };
  return {
    cert: certificate(issuer, { name, key: keys.publicKey, days: VALID, extensions: [authorityExtension()] }),
    issue: ({ names, days = VALID }) => {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const subject = { name: 'Test server', key: publicKey, days, extensions: [namesExtension(names)] };
      return {
        key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        cert: certificate(issuer, subject),
      };
    },
  };
}

/** A certificate that vouches for itself. */
export function selfSigned(names: readonly string[]): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = 'Self-signed server';
  const subject = { name, key: publicKey, days: VALID, extensions: [namesExtension(names)] };
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: certificate({ name, key: privateKey }, subject),
  };
}

interface Subject {
  readonly name: string;
  readonly key: KeyObject;
  readonly days: readonly [number, number];
  readonly extensions: readonly Buffer[];
}

/** X.509 version 3, signed with ECDSA and SHA-256 (RFC 5280, section 4.1; RFC 5758, section 3.2). */
function certificate(issuer: Issuer, { name, key, days: [from, to], extensions }: Subject): string {
  const algorithm = sequence(objectId('2a8648ce3d040302'));
  const body = sequence(
    tagged(0xa0, tagged(0x02, Buffer.of(2))),
    tagged(0x02, Buffer.concat([Buffer.of(1), randomBytes(8)])),
    algorithm,
    commonName(issuer.name),
    sequence(utcTime(from), utcTime(to)),
    commonName(name),
    key.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensions)),
  );
  const signature = sign('sha256', body, issuer.key);
  const whole = sequence(body, algorithm, tagged(0x03, Buffer.concat([Buffer.of(0), signature])));
  return `-----BEGIN CERTIFICATE-----\n${whole.toString('base64').replace(/.{64}(?!$)/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
}

/** Basic constraints, critical: it may sign others. */
function authorityExtension(): Buffer {
  const flag = tagged(0x01, Buffer.of(0xff));
  return sequence(objectId('551d13'), flag, tagged(0x04, sequence(flag)));
}

/** The subject's alternative names. */
function namesExtension(names: readonly string[]): Buffer {
  const items = names.map((name) =>
    isIPv4(name) ? tagged(0x87, Buffer.from(name.split('.').map(Number))) : tagged(0x82, Buffer.from(name)),
  );
  return sequence(objectId('551d11'), tagged(0x04, sequence(...items)));
}

function commonName(name: string): Buffer {
  return sequence(tagged(0x31, sequence(objectId('550403'), tagged(0x0c, Buffer.from(name)))));
}

function utcTime(daysFromNow: number): Buffer {
  const time = new Date(Date.now() + daysFromNow * 86_400_000).toISOString();
  return tagged(0x17, Buffer.from(`${time.slice(2, 19).replace(/\D/g, '')}Z`));
}

function objectId(hex: string): Buffer {
  return tagged(0x06, Buffer.from(hex, 'hex'));
}

function sequence(...items: readonly Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(items));
}

/** One value in DER: tag, length, content (ITU-T X.690, section 8.1). */
function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
