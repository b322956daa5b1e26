import { open } from "node:fs/promises"

const CHUNK_BYTES = 64 * 1024

/**
 * The whole content of a file, or of a pipe or device until its end; `undefined` where it exceeds `maxBytes`. Never
 * reads more than that: a device such as /dev/zero has no end.
 * @throws the system's error
 */
export async function readBounded(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
  await using file = await open(path, "r")
  const chunks: Uint8Array[] = []
  for (let length = 0; ;) {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, null)
    if (bytesRead === 0) return Buffer.concat(chunks)
    length += bytesRead
    if (length > maxBytes) return undefined
    chunks.push(buffer.subarray(0, bytesRead))
  }
}
