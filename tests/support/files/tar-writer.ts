import { Header } from "tar"

/** An entry of a tar file, which need not be valid. */
export interface TarEntry {
  readonly path: string
  readonly content?: string | Uint8Array
  readonly type?: "File" | "SymbolicLink" | "Link" | "Directory" | "CharacterDevice" | "FIFO" | "GNUDumpDir"
  readonly linkpath?: string
  /** The size in the header; absent: the content's. */
  readonly size?: number
}

const BLOCK_BYTES = 512

/** A tar file with these entries, valid or not. */
export function writeTar(entries: readonly TarEntry[]): Uint8Array {
  const parts = entries.flatMap(({ path, content = "", type = "File", linkpath, size }) => {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content
    const header = Buffer.alloc(BLOCK_BYTES)
    const fields = { path, type, size: size ?? bytes.length, mode: 0o644, mtime: new Date(0) }
    const needsMore = new Header({ ...fields, ...(linkpath !== undefined && { linkpath }) }).encode(header)
    if (needsMore) throw new Error(`'${path}' does not fit in a header`)
    return [header, bytes, new Uint8Array(-bytes.length & (BLOCK_BYTES - 1))]
  })
  return Buffer.concat([...parts, new Uint8Array(2 * BLOCK_BYTES)])
}
