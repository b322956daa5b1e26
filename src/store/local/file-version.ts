import { open, stat } from "node:fs/promises"

/** Bytes read from the start, middle and end of a file to identify its version. */
const SAMPLE_BYTES = 64 * 1024
const ID_DIGITS = 12

export interface FilesState {
  readonly sizeBytes: number
  readonly modifiedMs: number
  /** Changes whenever one of the files does. */
  readonly stamp: string
}

/** Missing files count as empty. */
export async function stateOf(paths: readonly string[]): Promise<FilesState> {
  const all = await Promise.all(paths.map((path) => stat(path).catch(() => undefined)))
  return {
    sizeBytes: all.reduce((sum, stats) => sum + (stats?.size ?? 0), 0),
    modifiedMs: all.reduce((latest, stats) => Math.max(latest, stats?.mtimeMs ?? 0), 0),
    stamp: all.map((stats) => `${stats?.ino}:${stats?.size}:${stats?.mtimeMs}`).join(),
  }
}

/**
 * The start, middle and end of a file. Samples rather than all bytes: a file of 40 GB would take a minute to hash.
 * @throws the system's error where it cannot be read
 */
export async function readSamples(path: string): Promise<Uint8Array[]> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const starts = [0, Math.floor(size / 2), Math.max(0, size - SAMPLE_BYTES)]
    return await Promise.all(
      starts.map(async (start) => {
        const { buffer, bytesRead } = await file.read(
          Buffer.allocUnsafe(SAMPLE_BYTES),
          0,
          SAMPLE_BYTES,
          start,
        )
        return buffer.subarray(0, bytesRead)
      }),
    )
  } finally {
    await file.close()
  }
}

/** The leading hex digits of a SHA-256, which identify a version of files. */
export function idOf(parts: readonly (string | Uint8Array)[]): string {
  const hash = new Bun.CryptoHasher("sha256")
  for (const part of parts) hash.update(part)
  return hash.digest("hex").slice(0, ID_DIGITS)
}
