import { createReadStream } from "node:fs"
import { stat } from "node:fs/promises"
import { Readable } from "node:stream"
import { constants, createZstdCompress } from "node:zlib"
import { Header } from "tar"
import { InvalidModelFile } from "../../errors/model"

/** An entry of an archive being written. */
export interface PackedEntry {
  readonly path: string
  /** Its content, or the file with the content and its SHA-256 in hex. */
  readonly source: Uint8Array | { readonly file: string; readonly sizeBytes: number; readonly sha256: string }
}

/** Weights are noise to a compressor; a low level gains nearly as much, at the speed of a disk. */
const LEVEL = 3

const BLOCK_BYTES = 512
const READ_BYTES = 1024 ** 2

/**
 * The bytes of a compressed archive. `onProgress` is called with the number of bytes of the entries read so far.
 * @throws from the stream: InvalidModelFile where a file has changed, the system's error where it cannot be read
 */
export function packArchive(entries: readonly PackedEntry[], onProgress: (bytes: number) => void): Readable {
  const compressor = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: LEVEL } })
  const plain = Readable.from(tarBytes(entries, onProgress), { objectMode: false })
  plain.on("error", (error) => compressor.destroy(error))
  return plain.pipe(compressor)
}

async function* tarBytes(
  entries: readonly PackedEntry[],
  onProgress: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let done = 0
  for (const { path, source } of entries) {
    const sizeBytes = sizeOf(source)
    yield header(path, sizeBytes)
    for await (const chunk of contentOf(source)) {
      yield chunk
      done += chunk.length
      onProgress(done)
    }
    yield new Uint8Array(-sizeBytes & (BLOCK_BYTES - 1))
  }
  // The end of a tar file: two blocks of zeros.
  yield new Uint8Array(2 * BLOCK_BYTES)
}

/** In bytes. */
export function sizeOf(source: PackedEntry["source"]): number {
  return "file" in source ? source.sizeBytes : source.length
}

/** Without times, owners and modes: the same model gives the same archive. */
function header(path: string, size: number): Uint8Array {
  const block = Buffer.alloc(BLOCK_BYTES)
  new Header({ path, size, mode: 0o644, uid: 0, gid: 0, mtime: new Date(0), type: "File" }).encode(block)
  return block
}

async function* contentOf(source: PackedEntry["source"]): AsyncGenerator<Uint8Array> {
  if (!("file" in source)) {
    yield source
    return
  }
  const { file, sizeBytes, sha256 } = source
  const { size } = await stat(file)
  if (size !== sizeBytes)
    throw new InvalidModelFile(file, `it has ${size} bytes, but should have ${sizeBytes}`)
  if (size === 0) return
  const hash = new Bun.CryptoHasher("sha256")
  // Stops at the size in the header, should the file grow meanwhile.
  for await (const chunk of createReadStream(file, { highWaterMark: READ_BYTES, end: sizeBytes - 1 })) {
    hash.update(chunk)
    yield chunk
  }
  if (hash.digest("hex") !== sha256) throw new InvalidModelFile(file, "its content is damaged")
}
