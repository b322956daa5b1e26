/** The SHA-256 in hex of small content; large content is hashed in pieces. */
export function sha256(content: string | Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(content).digest("hex")
}
