import { type FileHandle, open, rename, rm } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { XllmError } from "../../errors/base"
import { FileFailed } from "../../errors/store"
import { alignedSize, encodeGgufHeader, type GgufField, type GgufTensorEntry } from "./encode"
import { splitFileName } from "./split"

/** A tensor whose data is made while it is written. */
export interface GgufTensorSource extends GgufTensorEntry {
  /** Exactly `bytes` bytes, in pieces; a piece may be overwritten once the next one is asked for. */
  data(): AsyncIterable<Uint8Array>
}

export interface WriteGgufOptions {
  /** Distributes the tensors over several files, none with more bytes of tensors than this, apart from single ones. */
  readonly shardBytes?: number
  readonly signal?: AbortSignal
  /** Called after each piece, with the bytes of tensor data so far. */
  readonly onProgress?: (doneBytes: number, tensor: string) => void
  /** Looks at the complete files before they get their names; if it fails, they never do. */
  readonly check?: (paths: readonly string[]) => Promise<void>
}

const ALIGNMENT = 32

/**
 * Writes a model to `path`, or to the files of a split model in its folder. They are written under other names, and get
 * their own only once all of them are complete: nothing half-written is ever found under a model's name.
 * @returns the paths, the first file first
 * @throws FileFailed if they cannot be written; the signal's reason; errors of the tensors' data
 */
export async function writeGgufModel(
  path: string,
  fields: readonly GgufField[],
  tensors: readonly GgufTensorSource[],
  options: WriteGgufOptions = {},
): Promise<readonly string[]> {
  const parts = planGgufParts(tensors, options.shardBytes)
  const paths = ggufPartPaths(path, parts.length)
  const written: string[] = []
  let before = 0
  try {
    for (const [index, part] of parts.entries()) {
      const place = paths[index] ?? path
      const temporary = join(dirname(place), `.${basename(place)}.${crypto.randomUUID().slice(0, 8)}.part`)
      written.push(temporary)
      const own = index === 0 ? fields : []
      const all =
        parts.length > 1 ? [...own, ...splitFields(index, parts.length, tensors.length)] : [...fields]
      await writePart(temporary, place, all, part, {
        ...options,
        onProgress: (done, tensor) => options.onProgress?.(before + done, tensor),
      })
      before += part.reduce((sum, { bytes }) => sum + bytes, 0)
    }
    await options.check?.(written)
    for (const [index, place] of paths.entries()) await rename(written[index] ?? place, place)
    return paths
  } catch (error) {
    for (const temporary of written) await rm(temporary, { force: true }).catch(() => {})
    throw asWriteFailure(error, path)
  }
}

/** The tensors of each file. */
function planGgufParts<T extends GgufTensorEntry>(
  tensors: readonly T[],
  shardBytes = Number.POSITIVE_INFINITY,
): readonly (readonly T[])[] {
  const parts: T[][] = [[]]
  let size = 0
  for (const tensor of tensors) {
    const bytes = alignedSize(tensor.bytes, ALIGNMENT)
    if (size > 0 && size + bytes > shardBytes) {
      parts.push([])
      size = 0
    }
    parts.at(-1)?.push(tensor)
    size += bytes
  }
  return parts
}

/** How many files {@link writeGgufModel} would write. */
export function countGgufParts(tensors: readonly GgufTensorEntry[], shardBytes?: number): number {
  return planGgufParts(tensors, shardBytes).length
}

/** The paths of a model's files, from that of an unsplit one. */
export function ggufPartPaths(path: string, parts: number): readonly string[] {
  if (parts < 2) return [path]
  const stem = basename(path).replace(/\.gguf$/i, "")
  return Array.from({ length: parts }, (_, index) =>
    join(dirname(path), splitFileName({ stem, parts }, index + 1)),
  )
}

function splitFields(index: number, parts: number, tensors: number): readonly GgufField[] {
  return [
    ["split.no", { type: "u16", value: index }],
    ["split.count", { type: "u16", value: parts }],
    ["split.tensors.count", { type: "i32", value: tensors }],
  ]
}

async function writePart(
  temporary: string,
  place: string,
  fields: readonly GgufField[],
  tensors: readonly GgufTensorSource[],
  { signal, onProgress }: WriteGgufOptions,
): Promise<void> {
  const file = await open(temporary, "wx").catch((error: unknown) => {
    throw new FileFailed("write", place, error)
  })
  let done = 0
  try {
    await writeAll(file, encodeGgufHeader(fields, tensors, ALIGNMENT))
    for (const { name, bytes, data } of tensors) {
      let size = 0
      for await (const piece of data()) {
        signal?.throwIfAborted()
        await writeAll(file, piece)
        size += piece.length
        onProgress?.(done + size, name)
      }
      if (size !== bytes) throw new RangeError(`the tensor '${name}' has ${size} bytes instead of ${bytes}`)
      done += bytes
      await writeAll(file, new Uint8Array(alignedSize(bytes, ALIGNMENT) - bytes))
    }
    // Renamed before its bytes are on the disk, a file could be found empty after a power cut.
    await file.sync()
  } finally {
    await file.close()
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let at = 0
  while (at < bytes.length) at += (await file.write(bytes, at, bytes.length - at)).bytesWritten
}

function asWriteFailure(error: unknown, path: string): unknown {
  const isSystems = error instanceof Error && "syscall" in error && !(error instanceof XllmError)
  return isSystems ? new FileFailed("write", path, error) : error
}
