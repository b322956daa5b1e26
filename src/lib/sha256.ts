/** The SHA-256 in hex of something small; what is large is hashed piece by piece. */
export function sha256(content: string | Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(content).digest("hex")
}
