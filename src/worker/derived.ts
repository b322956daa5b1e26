import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises"
import { dirname, join } from "node:path"

/** Describes the derived files; written last. */
const RECORD = "derived.json"

/** Bytes hashed at once, to bound memory. */
const CHUNK_BYTES = 8 * 1024 ** 2

interface DerivedFile {
  readonly name: string
  readonly sizeBytes: number
  /** XXH3, chained over chunks; detects damage, not tampering. */
  readonly checksum: string
}

interface Record {
  readonly recipe: string
  readonly files: readonly DerivedFile[]
}

/**
 * Makes sure that `folder` contains exactly what `build` writes to the folder passed to it. It is built in a
 * temporary folder and renamed, and reused while it is intact; files that are missing, damaged or made with
 * another `recipe` (any text that changes with what `build` does) are rebuilt. Resolves to `folder`.
 */
export async function derive(
  folder: string,
  recipe: string,
  build: (folder: string) => Promise<void>,
): Promise<string> {
  if (await isIntact(folder, recipe)) return folder
  await mkdir(dirname(folder), { recursive: true })
  const temporary = `${folder}.${process.pid}.${crypto.randomUUID()}.tmp`
  try {
    await mkdir(temporary)
    await build(temporary)
    const record: Record = { recipe, files: await describeFiles(temporary) }
    await Bun.write(join(temporary, RECORD), JSON.stringify(record))
    await install(temporary, folder, recipe)
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
  return folder
}

/** An existing folder is damaged or outdated, unless another worker was faster. */
async function install(temporary: string, folder: string, recipe: string): Promise<void> {
  const aside = `${temporary}.old`
  const replaced = await rename(folder, aside).then(
    () => true,
    () => false,
  )
  try {
    await rename(temporary, folder)
  } catch (error) {
    if (!(await isIntact(folder, recipe))) throw error
  } finally {
    if (replaced) await rm(aside, { recursive: true, force: true })
  }
}

async function isIntact(folder: string, recipe: string): Promise<boolean> {
  try {
    const record = (await Bun.file(join(folder, RECORD)).json()) as Record // written by `derive`
    if (record.recipe !== recipe) return false
    const checks = record.files.map(async (file) => {
      const path = join(folder, file.name)
      return (await stat(path)).size === file.sizeBytes && (await checksum(path)) === file.checksum
    })
    return (await Promise.all(checks)).every((intact) => intact)
  } catch {
    return false // missing or unreadable: treated as damaged
  }
}

async function describeFiles(folder: string): Promise<DerivedFile[]> {
  const names = await readdir(folder)
  return await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name)
      return { name, sizeBytes: (await stat(path)).size, checksum: await checksum(path) }
    }),
  )
}

async function checksum(path: string): Promise<string> {
  const file = await open(path, "r")
  try {
    const chunk = Buffer.alloc(CHUNK_BYTES)
    let hash = 0n
    for (;;) {
      const { bytesRead } = await file.read(chunk, 0, chunk.length)
      if (bytesRead === 0) return hash.toString(16)
      hash = Bun.hash.xxHash3(chunk.subarray(0, bytesRead), hash)
    }
  } finally {
    await file.close()
  }
}
