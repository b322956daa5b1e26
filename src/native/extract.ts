import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { reasonOf } from "../errors/base"
import { NativeLibraryError } from "../errors/engine"
import { lockFile } from "../lib/system/file-lock"

/** Longer than the slowest extraction seen (0.4 s for the Vulkan backend) by far; see {@link lockFile}. */
const LOCK_PATIENCE_MS = 20_000

/**
 * The folder `<runtimeFolder>/<hash>/<name>` with the component's files, extracted now if it is not there yet or
 * was damaged. It appears complete or not at all, and any number of processes may ask at the same time.
 * @throws NativeLibraryError where the folder cannot be written or the executable itself is damaged
 */
export async function extractComponent(component: Component, runtimeFolder: string): Promise<string> {
  const folder = join(runtimeFolder, component.hash, component.name)
  if (await isIntact(folder, component)) return folder
  try {
    await extractLocked(component, folder)
  } catch (error) {
    throw asNativeLibraryError(error, component, runtimeFolder)
  }
  return folder
}

async function extractLocked(component: Component, folder: string): Promise<void> {
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 })
  using lock = await lockFile(`${folder}.lock`, LOCK_PATIENCE_MS)
  if (await isIntact(folder, component)) return
  if (lock.held) await removeLeftovers(folder)
  const temporary = `${folder}.${process.pid}.${crypto.randomUUID()}.tmp`
  try {
    await unpack(component, temporary)
    await install(temporary, folder, component)
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

/** Whether every file is there with the right content. */
async function isIntact(folder: string, component: Component): Promise<boolean> {
  const checks = component.files.map(async (file) => {
    const path = join(folder, file.name)
    const found = await stat(path)
    return found.size === file.size && checksum(await readFile(path)) === file.checksum
  })
  try {
    return (await Promise.all(checks)).every((intact) => intact)
  } catch {
    return false // missing or unreadable: the same to the caller as damaged
  }
}

/** What killed processes left behind. Nobody else writes while the lock is held. */
async function removeLeftovers(folder: string): Promise<void> {
  const parent = dirname(folder)
  const names = await readdir(parent)
  const leftovers = names.map((name) => join(parent, name)).filter((path) => isTemporaryOf(path, folder))
  await Promise.all(leftovers.map((path) => rm(path, { recursive: true, force: true })))
}

function isTemporaryOf(path: string, folder: string): boolean {
  return path.startsWith(`${folder}.`) && path.endsWith(".tmp")
}

async function unpack(component: Component, folder: string): Promise<void> {
  const bytes = await Bun.zstdDecompress(await Bun.file(component.archive).bytes())
  await mkdir(folder, { mode: 0o700 })
  let start = 0
  for (const file of component.files) {
    const content = bytes.subarray(start, start + file.size)
    start += file.size
    checkContent(file, content)
    const path = join(folder, file.name)
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await writeFile(path, content, { mode: 0o700 })
  }
}

function checkContent(file: PackedFile, content: Uint8Array): void {
  const sha256 = new Bun.CryptoHasher("sha256").update(content).digest("hex")
  if (sha256 === file.sha256) return
  throw new NativeLibraryError(`${file.name} in this executable is damaged; download or build xLLM again`)
}

/**
 * Moves `temporary` to `folder`. What stands there is damaged, unless a process without the lock was faster; it is
 * moved out of the way, never written to, because a running worker may have it mapped.
 */
async function install(temporary: string, folder: string, component: Component): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await rename(temporary, folder)
    } catch (error) {
      if (await isIntact(folder, component)) return
      if (attempt === 2) throw error
      await discard(folder)
    }
  }
}

async function discard(folder: string): Promise<void> {
  const aside = `${folder}.${process.pid}.${crypto.randomUUID()}.tmp`
  await rename(folder, aside).catch(() => undefined) // the next attempt reports what is really wrong
  await rm(aside, { recursive: true, force: true })
}

/** The checksum that {@link PackedFile.checksum} holds. */
export function checksum(content: Uint8Array): string {
  return Bun.hash.xxHash3(content).toString(16)
}

function asNativeLibraryError(
  error: unknown,
  component: Component,
  runtimeFolder: string,
): NativeLibraryError {
  if (error instanceof NativeLibraryError) return error
  const megabytes = Math.ceil(component.files.reduce((sum, file) => sum + file.size, 0) / 1e6)
  return new NativeLibraryError(
    `cannot extract this program's component '${component.name}' (${megabytes} MB) to ${runtimeFolder}: ${reasonOf(error)}; ` +
      `${remedy(error, megabytes)}, or set XLLM_HOME to another folder`,
    error,
  )
}

function remedy(error: unknown, megabytes: number): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined
  const diskFull = code === "ENOSPC" || code === "EDQUOT"
  return diskFull ? `free ${megabytes} MB there` : "make the folder writable"
}

/** One file inside a packed component. */
export interface PackedFile {
  /** Relative to the component's folder; folders in it are divided by `/`. */
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** Hex; checked once, when the file is extracted. */
  readonly sha256: string
  /**
   * XXH3 of 64 bits in hex; checked before every use. It finds damage, not malice (anyone who can write to the cache
   * runs as the same user), and takes 20 ms for all libraries where SHA-256 takes 80.
   */
  readonly checksum: string
}

/** Native files that are embedded in the executable and extracted together. */
export interface Component {
  readonly name:
    "llama" | "vulkan" | "cuda" | "mtmd" | "shim" | "speech" | "espeak" | "image" | "image-vulkan"
  /** Changes with the name and content of any file: the folder of the extracted files is named after it. */
  readonly hash: string
  /** The path of the archive: the files' bytes one after the other, in the order of `files`, compressed with zstd. */
  readonly archive: string
  readonly files: readonly PackedFile[]
}
