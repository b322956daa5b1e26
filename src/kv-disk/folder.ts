import { mkdir, open, readdir, rename, rm, stat, statfs } from "node:fs/promises"
import { join } from "node:path"
import { reasonOf } from "../errors/base"
import { SlotNotSaved } from "../errors/engine"
import { isDiskFull } from "../lib/system/disk-full"
import { systemCode, systemReason } from "../lib/system/system-reason"
import {
  countUse,
  DamagedPrompt,
  encodeHead,
  hashState,
  type PromptDescription,
  type PromptHead,
  readHead,
  readState,
} from "./file"
import { chooseExpendable } from "./value"

const ENDING = ".kv"
const UNFINISHED = ".tmp"

/** Digits of the fingerprint at the start of a file's name, so that a worker reads only files of its own model. */
const NAMED_DIGITS = 16

/** Every one has its tokens in memory, and its header is read at the first look. */
const MOST_FILES = 1000

/** Files take at most this share of what the disk would have free without them. */
const DISK_SHARE = 1 / 10

/** Written at once; between two pieces a write can be given up. */
const PIECE_BYTES = 8 * 1024 ** 2

/** No write takes this long: an older unfinished file belongs to a process that was killed. */
const ABANDONED_MS = 600_000

/** After a failed write, the next is not tried before this time is over. */
const PAUSE_MS = 60_000

/** A prompt on disk. */
export interface SavedPrompt extends PromptHead {
  /** The file's name. */
  readonly file: string
  /** Of the whole file. */
  readonly bytes: number
  /** When it was last used or written, in ms since 1970. */
  readonly usedAt: number
}

/** A prompt to be saved. */
export interface UnsavedPrompt extends Omit<PromptDescription, "stateBytes" | "stateHash" | "createdAt"> {
  readonly tokens: Int32Array
  readonly state: Uint8Array
}

/** A prompt to be saved under a name. */
export interface UnsavedNamed extends UnsavedPrompt {
  readonly name: string
}

export interface PromptFolderOptions {
  readonly folder: string
  readonly maxBytes: number
  /** Reports something that the user should know: one line. */
  readonly warn: (text: string) => void
}

/**
 * A folder of saved prompts. Any number of processes may use it at the same time: a file appears by a rename and is
 * never changed afterwards except for its count of uses, and nothing is known about the folder besides its files.
 */
export class PromptFolder {
  readonly #folder: string
  readonly #maxBytes: number
  readonly #warn: (text: string) => void
  /** Headers by the files' names, with what the file looked like when its header was read. */
  readonly #known = new Map<string, { readonly stamp: string; readonly prompt: SavedPrompt }>()
  #pausedUntil = 0

  constructor({ folder, maxBytes, warn }: PromptFolderOptions) {
    this.#folder = folder
    this.#maxBytes = maxBytes
    this.#warn = warn
  }

  async isEmpty(): Promise<boolean> {
    return (await this.#names()).length === 0
  }

  /** What is on disk now, of one fingerprint or of all. Damaged files are deleted. */
  async list(fingerprint?: string): Promise<readonly SavedPrompt[]> {
    const start = fingerprint?.slice(0, NAMED_DIGITS) ?? ""
    const names = (await this.#names()).filter((name) => name.startsWith(start) && name.endsWith(ENDING))
    const present = new Set(names)
    for (const name of this.#known.keys())
      if (name.startsWith(start) && !present.has(name)) this.#known.delete(name)
    const prompts: SavedPrompt[] = []
    for (const name of names) {
      const prompt = await this.#look(name)
      if (prompt !== undefined && (fingerprint === undefined || prompt.fingerprint === fingerprint))
        prompts.push(prompt)
    }
    return prompts
  }

  /** The checked state; undefined where the file is gone or was damaged, and is then deleted. */
  async read(prompt: SavedPrompt): Promise<Uint8Array | undefined> {
    return await this.#checked(prompt.file, async (path) => {
      const file = await open(path, "r")
      try {
        // Read anew: the file may have been replaced since it was listed.
        const head = await readHead(file)
        if (head.fingerprint !== prompt.fingerprint || head.realm !== prompt.realm)
          throw new DamagedPrompt("belongs to something else than its name says")
        if (!isSame(head.tokens, prompt.tokens))
          throw new DamagedPrompt("has other tokens than its name says")
        return await readState(file, head)
      } finally {
        await file.close()
      }
    })
  }

  /** Counts a use, which makes it more valuable. */
  async countUse({ file, uses }: SavedPrompt): Promise<void> {
    // A file that is gone, or of a folder that cannot be written, is used all the same.
    await countUse(join(this.#folder, file), uses + 1).catch(() => {})
  }

  /**
   * Saves a prompt, and removes the least valuable ones where space is short. Never rejects: returns false, with a
   * warning where something is wrong, if it cannot be saved or `signal` gives it up.
   */
  async write(prompt: UnsavedPrompt, signal?: AbortSignal): Promise<boolean> {
    if (performance.now() < this.#pausedUntil) return false
    try {
      return (await this.#write(prompt, signal)) !== undefined
    } catch (error) {
      if (signal?.aborted) return false
      this.#pausedUntil = performance.now() + PAUSE_MS
      this.#warn(`prompts cannot be saved in ${this.#folder}: ${whyNotWritten(error)}`)
      return false
    }
  }

  /**
   * Saves a prompt under a name, in place of the one that has it. Returns the size of the file.
   * @throws SlotNotSaved
   */
  async writeNamed(prompt: UnsavedNamed): Promise<number> {
    let bytes: number | undefined
    try {
      bytes = await this.#write(prompt, undefined)
    } catch (error) {
      throw new SlotNotSaved(whyNotWritten(error))
    }
    if (bytes === undefined)
      throw new SlotNotSaved("it is larger than all prompts on disk may be together (kv_disk.max_bytes)")
    return bytes
  }

  /** The prompt of that name; undefined where there is none. */
  async find(fingerprint: string, name: string): Promise<SavedPrompt | undefined> {
    const file = fileOfName(fingerprint, name)
    if (!(await this.#names()).includes(file)) return undefined
    const prompt = await this.#look(file)
    return prompt?.fingerprint === fingerprint && prompt.name === name ? prompt : undefined
  }

  /** Removes a file; returns whether it was there. */
  async remove({ file }: Pick<SavedPrompt, "file">): Promise<boolean> {
    this.#known.delete(file)
    return await rm(join(this.#folder, file)).then(
      () => true,
      () => false,
    )
  }

  /** Returns the size of the file; undefined where the limits leave no space for it. */
  async #write(
    { tokens, state, ...about }: UnsavedPrompt | UnsavedNamed,
    signal: AbortSignal | undefined,
  ): Promise<number | undefined> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    const head = encodeHead(
      {
        ...about,
        stateBytes: state.length,
        stateHash: await hashState(state),
        createdAt: new Date().toISOString(),
      },
      tokens,
    )
    const bytes = head.length + state.length
    const name = fileOf(about, tokens)
    if (!(await this.#makeSpace(bytes, name, about.name !== undefined))) return undefined
    const temporary = join(this.#folder, `${name}.${crypto.randomUUID()}${UNFINISHED}`)
    try {
      await writeFile(temporary, [head, state], signal)
      await rename(temporary, join(this.#folder, name))
      return bytes
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  }

  /**
   * Removes files so that one of this size fits the limits; returns false where there is no space for it: those with
   * names make way only for each other.
   */
  async #makeSpace(bytes: number, file: string, isNamed: boolean): Promise<boolean> {
    await this.#removeAbandoned()
    // It takes the place of the one that is called the same.
    const prompts = (await this.list()).filter((prompt) => prompt.file !== file)
    const taken = prompts.reduce((sum, prompt) => sum + prompt.bytes, 0)
    const { bavail, bsize } = await statfs(this.#folder)
    const limit = Math.min(this.#maxBytes, (bavail * bsize + taken) * DISK_SHARE)
    if (bytes > limit) return false
    const limits = { mostBytes: limit - bytes, mostFiles: MOST_FILES - 1 }
    const expendable = chooseExpendable(prompts, limits, Date.now())
    if (!isNamed && expendable.some(({ name }) => name !== undefined)) return false
    for (const prompt of expendable) {
      if (prompt.name !== undefined)
        this.#warn(
          `deleted the prompt saved as '${prompt.name}' to make space for another (kv_disk.max_bytes)`,
        )
      await this.remove(prompt)
    }
    return true
  }

  async #removeAbandoned(): Promise<void> {
    for (const name of await this.#names()) {
      if (!name.endsWith(UNFINISHED)) continue
      const path = join(this.#folder, name)
      const since = (await stat(path).catch(() => undefined))?.mtimeMs ?? Date.now()
      if (Date.now() - since > ABANDONED_MS) await rm(path, { force: true })
    }
  }

  async #names(): Promise<readonly string[]> {
    return await readdir(this.#folder).catch((): string[] => [])
  }

  async #look(name: string): Promise<SavedPrompt | undefined> {
    return await this.#checked(name, async (path) => {
      const { size, mtimeMs, ino } = await stat(path)
      const stamp = `${ino}:${size}:${mtimeMs}`
      const known = this.#known.get(name)
      if (known?.stamp === stamp) return known.prompt
      const file = await open(path, "r")
      try {
        const prompt = { ...(await readHead(file)), file: name, bytes: size, usedAt: mtimeMs }
        this.#known.set(name, { stamp, prompt })
        return prompt
      } finally {
        await file.close()
      }
    })
  }

  /** Undefined where the file cannot be read; a damaged one is deleted. */
  async #checked<T>(name: string, read: (path: string) => Promise<T>): Promise<T | undefined> {
    const path = join(this.#folder, name)
    try {
      return await read(path)
    } catch (error) {
      if (error instanceof DamagedPrompt) {
        this.#warn(`deleted the saved prompt ${path}, which ${error.message}`)
        await this.remove({ file: name })
      } else if (systemCode(error) !== "ENOENT") {
        this.#warn(`cannot read the saved prompt ${path}: ${systemReason(error) ?? reasonOf(error)}`)
      }
      return undefined
    }
  }
}

/** The same prompt has the same name, whichever process writes it. */
function fileOf(
  { fingerprint, realm, name }: Pick<PromptDescription, "fingerprint" | "realm" | "name">,
  tokens: Int32Array,
): string {
  if (name !== undefined) return fileOfName(fingerprint, name)
  const content = Buffer.from(tokens.buffer, tokens.byteOffset, tokens.byteLength)
  const hash = Bun.hash.xxHash64(content, Bun.hash.xxHash64(realm))
  return `${fingerprint.slice(0, NAMED_DIGITS)}-${hash.toString(16).padStart(16, "0")}${ENDING}`
}

/** A name given by a client is not trusted to be one of a file. */
function fileOfName(fingerprint: string, name: string): string {
  return `${fingerprint.slice(0, NAMED_DIGITS)}-${Bun.SHA256.hash(name, "hex")}${ENDING}`
}

function whyNotWritten(error: unknown): string {
  return isDiskFull(error) ? "the disk is full" : (systemReason(error) ?? reasonOf(error))
}

/** Writes a new file, readable by its owner alone, to stable storage. */
async function writeFile(
  path: string,
  parts: readonly Uint8Array[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const file = await open(path, "wx", 0o600)
  try {
    for (const part of parts) {
      for (let at = 0; at < part.length;) {
        signal?.throwIfAborted()
        const piece = part.subarray(at, at + PIECE_BYTES)
        const { bytesWritten } = await file.write(piece, 0, piece.length)
        at += bytesWritten
      }
    }
    // Syncing may take seconds on a busy disk. A write with an end in sight goes without: what a power failure then
    // leaves is checked before use, and the files that it replaces are kept until it is certain to be on disk.
    if (signal === undefined) await file.sync()
  } finally {
    await file.close()
  }
}

function isSame(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((token, at) => token === b[at])
}
