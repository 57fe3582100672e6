// The polynomial of Castagnoli, reflected. Node's own crc32 has another one.
const POLYNOMIAL = 0x82f63b78;

/** The CRC-32C of bytes (RFC 3720, section 12.1), unsigned. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (POLYNOMIAL & -(crc & 1));
  }
  return (crc ^ 0xffffffff) >>> 0;
}
