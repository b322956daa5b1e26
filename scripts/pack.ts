import { existsSync } from "node:fs"
import { mkdir, rename } from "node:fs/promises"
import { basename, join } from "node:path"
import { checksum, type Component, type PackedFile } from "../src/native/extract"

/** Higher levels save little (19: a quarter) and take ten times as long. */
const ZSTD_LEVEL = 12

/** A file to pack: a path, packed under its own name, or another name with its content or path. */
export type PackSource =
  | string
  | { readonly name: string; readonly content: Uint8Array }
  | { readonly name: string; readonly path: string }

/**
 * Packs files into an archive in `folder`. Its name contains the content's hash, so that unchanged content is not
 * compressed again.
 */
export async function packComponent(
  name: Component["name"],
  sources: readonly PackSource[],
  folder: string,
): Promise<Component> {
  const contents = await Promise.all(sources.map(readSource))
  const files = contents.map(({ name, content }) => describe(name, content))
  const hash = sha256(files.map((file) => `${file.name} ${file.sha256}\n`).join("")).slice(0, 16)
  const archive = join(folder, `${name}-${hash}.zst`)
  if (!existsSync(archive))
    await compress(
      contents.map(({ content }) => content),
      archive,
    )
  return { name, hash, archive, files }
}

async function readSource(source: PackSource): Promise<{ name: string; content: Uint8Array }> {
  if (typeof source === "string") return { name: basename(source), content: await Bun.file(source).bytes() }
  if ("content" in source) return source
  return { name: source.name, content: await Bun.file(source.path).bytes() }
}

function describe(name: string, content: Uint8Array): PackedFile {
  return { name, size: content.length, sha256: sha256(content), checksum: checksum(content) }
}

async function compress(contents: readonly Uint8Array[], archive: string): Promise<void> {
  await mkdir(join(archive, ".."), { recursive: true })
  const temporary = `${archive}.${process.pid}.tmp`
  await Bun.write(temporary, await Bun.zstdCompress(Buffer.concat(contents), { level: ZSTD_LEVEL }))
  await rename(temporary, archive)
}

function sha256(content: string | Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(content).digest("hex")
}
