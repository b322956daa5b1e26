import { type FileHandle, open } from "node:fs/promises"
import { FileFailed } from "../errors/store"

/** A tensor whose data is made while it is written. */
export interface SafetensorsSource {
  readonly name: string
  readonly dtype: string
  /** The contiguous dimension last. */
  readonly shape: readonly number[]
  readonly bytes: number
  data(): AsyncIterable<Uint8Array>
}

/** Writes a safetensors file. @throws FileFailed; errors of the tensors' data */
export async function writeSafetensorsFile(
  path: string,
  tensors: readonly SafetensorsSource[],
  onPiece: (bytes: number) => void,
): Promise<void> {
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } }
  let size = 0
  for (const { name, dtype, shape, bytes } of tensors) {
    header[name] = { dtype, shape, data_offsets: [size, size + bytes] }
    size += bytes
  }
  const text = Buffer.from(JSON.stringify(header))
  const padded = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, " ")])
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(padded.length))
  const file = await open(path, "wx").catch((error: unknown) => {
    throw new FileFailed("write", path, error)
  })
  try {
    await writeWhole(file, Buffer.concat([length, padded]))
    for (const { name, bytes, data } of tensors) {
      let done = 0
      for await (const piece of data()) {
        await writeWhole(file, piece)
        done += piece.length
        onPiece(piece.length)
      }
      if (done !== bytes) throw new RangeError(`the tensor '${name}' has ${done} bytes instead of ${bytes}`)
    }
    await file.sync()
  } finally {
    await file.close()
  }
}

async function writeWhole(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let at = 0
  while (at < bytes.length) at += (await file.write(bytes, at, bytes.length - at)).bytesWritten
}
