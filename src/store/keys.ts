import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises"
import { join } from "node:path"
import type { Key } from "openpgp"
import { FileFailed, InvalidKey, KeyNotFound } from "../errors/store"
import { systemCode } from "../lib/system/system-reason"
import { syncedWrite } from "./fs"

/** A public key whose signatures are trusted. */
export interface TrustedKey {
  /** Hex; identifies the key. */
  readonly fingerprint: string
  /** In the form `Alice <alice@example.org>`. */
  readonly users: readonly string[]
  readonly createdAt: Date
  /** Undefined: never. */
  readonly expiresAt: Date | undefined
}

const EXTENSION = ".asc"
/** Digits at the end of a fingerprint that are enough to name a key: its former short id. */
const LEAST_ID_DIGITS = 8

/** Public keys, each in a file named by its fingerprint. OpenPGP's code is loaded on first use. */
export class KeyFolder {
  readonly #folder: string

  /** It need not exist. */
  constructor(folder: string) {
    this.#folder = folder
  }

  /**
   * Trusts every key in a file, armored or not. Of private keys only the public part is kept.
   * @param from the file's name in messages
   * @throws InvalidKey, FileFailed where a key cannot be stored
   */
  async add(content: Uint8Array, from: string): Promise<readonly TrustedKey[]> {
    const keys = await parseKeys(content, from)
    for (const key of keys) await this.#keep(this.#pathOf(key.getFingerprint()), key.toPublic().armor())
    return await Promise.all(keys.map(describe))
  }

  async #keep(path: string, armored: string): Promise<void> {
    const temporary = `${path}.${process.pid}.tmp`
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 })
      await rm(temporary, { force: true })
      await syncedWrite(temporary, armored)
      await rename(temporary, path)
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {})
      throw new FileFailed("write", path, error)
    }
  }

  /** Sorted by name of the first user. */
  async list(): Promise<readonly TrustedKey[]> {
    const keys = await Promise.all((await this.keys()).map(describe))
    return keys.toSorted((a, b) => (a.users[0] ?? "").localeCompare(b.users[0] ?? ""))
  }

  /** Stops trusting the key with that fingerprint ending. @throws KeyNotFound, FileFailed */
  async remove(id: string): Promise<TrustedKey> {
    const wanted = id.replace(/^0x|\s/gi, "").toLowerCase()
    const matching = (await this.list()).filter(({ fingerprint }) => fingerprint.endsWith(wanted))
    const [key, ...others] = wanted.length < LEAST_ID_DIGITS ? [] : matching
    if (key === undefined || others.length > 0) throw new KeyNotFound(id, others.length > 0)
    const path = this.#pathOf(key.fingerprint)
    try {
      await rm(path, { force: true })
    } catch (error) {
      throw new FileFailed("delete", path, error)
    }
    return key
  }

  /** For verifying signatures. @throws InvalidKey for a damaged file, FileFailed */
  async keys(): Promise<readonly Key[]> {
    const entries = await readdir(this.#folder).catch((error: unknown) => {
      if (systemCode(error) === "ENOENT") return []
      throw new FileFailed("read", this.#folder, error)
    })
    const files = entries.filter((entry) => entry.endsWith(EXTENSION)).map((name) => join(this.#folder, name))
    return (await Promise.all(files.map(readKeyFile))).flat()
  }

  #pathOf(fingerprint: string): string {
    return join(this.#folder, fingerprint + EXTENSION)
  }
}

async function readKeyFile(path: string): Promise<readonly Key[]> {
  const content = await readFile(path).catch((error: unknown) => {
    throw new FileFailed("read", path, error)
  })
  return await parseKeys(content, path)
}

async function parseKeys(content: Uint8Array, from: string): Promise<readonly Key[]> {
  const { readKeys } = await import("openpgp")
  const text = new TextDecoder().decode(content)
  try {
    const keys = text.includes("-----BEGIN PGP")
      ? await readKeys({ armoredKeys: text })
      : await readKeys({ binaryKeys: content })
    if (keys.length > 0) return keys
  } catch (error) {
    throw new InvalidKey(from, "it is damaged, or something else", error)
  }
  throw new InvalidKey(from, "there is no key in it")
}

async function describe(key: Key): Promise<TrustedKey> {
  const expires = await key.getExpirationTime()
  return {
    fingerprint: key.getFingerprint(),
    users: key.getUserIDs(),
    createdAt: key.getCreationTime(),
    expiresAt: expires instanceof Date ? expires : undefined,
  }
}
