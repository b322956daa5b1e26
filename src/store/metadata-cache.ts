import { Database } from "bun:sqlite"
import { existsSync, rmSync } from "node:fs"
import { dirname } from "node:path"
import { version } from "../version"

/**
 * Entries of another version of the program are discarded: it may have detected less. Raise the number when the
 * meaning of entries changes within a version.
 */
const FORMAT = Bun.hash.crc32(`5 ${version}`) % 2 ** 31
/** The event loop blocks while another process writes; its transactions take a few milliseconds. */
const BUSY_TIMEOUT_MS = 20
/** These errors are temporary, or caused by the folder; after any other one the file is unusable. */
const NO_DAMAGE: ReadonlySet<string> = new Set([
  "SQLITE_BUSY",
  "SQLITE_LOCKED",
  "SQLITE_READONLY",
  "SQLITE_READONLY_DIRECTORY",
  "SQLITE_CANTOPEN",
  "SQLITE_PERM",
  "SQLITE_FULL",
])

/** Cached data of files of one sort, by path. */
export interface CacheTable<T> {
  /** The cached value, if it was read from the same version of the file. */
  get(path: string, stamp: string): T | undefined
  /** `value` is plain data; big integers and `undefined` are allowed. */
  set(path: string, stamp: string, value: T): void
}

interface Row {
  readonly stamp: string
  readonly value: string
  /** Of the value: a damaged file may still be a valid database. */
  readonly hash: string
}

interface Known {
  readonly stamp: string
  readonly value: unknown
}

/**
 * Caches what was read from models' files until they change, for this process and later ones. It can be lost at any
 * time: a damaged file is rebuilt, and where nothing can be written the cache lasts as long as the process. Any
 * number of processes may share the file.
 */
export class MetadataCache {
  readonly #path: string
  /** `undefined` before the first use; `null` where it cannot be opened. */
  #database: Database | null | undefined
  #wasRebuilt = false
  readonly #known = new Map<string, Known>()
  readonly #unsaved = new Map<string, readonly [table: string, path: string, row: Row]>()
  #saving: ReturnType<typeof setImmediate> | undefined

  /** `path`: the file, whose folder need not exist. Opened on first use. */
  constructor(path: string) {
    this.#path = path
  }

  table<T>(name: string): CacheTable<T> {
    return {
      // Only this version writes under that name, so the type is right.
      get: (path, stamp) => this.#get(name, path, stamp) as T | undefined,
      set: (path, stamp, value) => this.#set(name, path, stamp, value),
    }
  }

  /** Removes the entries of files that no longer exist. */
  prune(): void {
    this.#use((database) => {
      const paths = database.query<{ path: string }, []>("SELECT DISTINCT path FROM files").all()
      const forget = database.query("DELETE FROM files WHERE path = ?")
      database.transaction(() => {
        for (const { path } of paths) if (!existsSync(path)) forget.run(path)
      })()
    })
  }

  #get(table: string, path: string, stamp: string): unknown {
    const key = `${table}\n${path}`
    const known = this.#known.get(key)
    if (known !== undefined) return known.stamp === stamp ? known.value : undefined
    const row = this.#use((database) =>
      database
        .query<Row, [string, string]>("SELECT stamp, value, hash FROM files WHERE tab = ? AND path = ?")
        .get(table, path),
    )
    if (row?.stamp !== stamp || row.hash !== hashOf(row.value)) return undefined
    const value = fromText(row.value)
    this.#known.set(key, { stamp, value })
    return value
  }

  #set(table: string, path: string, stamp: string, value: unknown): void {
    const key = `${table}\n${path}`
    this.#known.set(key, { stamp, value })
    const text = toText(value)
    this.#unsaved.set(key, [table, path, { stamp, value: text, hash: hashOf(text) }])
    // Everything read in one turn is written in one transaction.
    this.#saving ??= setImmediate(() => this.#save())
  }

  #save(): void {
    this.#saving = undefined
    const rows = [...this.#unsaved.values()]
    const isSaved = this.#use((database) => {
      const insert = database.query(
        "INSERT OR REPLACE INTO files (tab, path, stamp, value, hash) VALUES (?, ?, ?, ?, ?)",
      )
      database.transaction(() => {
        for (const [table, path, { stamp, value, hash }] of rows) insert.run(table, path, stamp, value, hash)
      })()
      return true
    })
    // Rows that could not be saved are retried with the next ones.
    if (isSaved) for (const [table, path] of rows) this.#unsaved.delete(`${table}\n${path}`)
  }

  /** `undefined` where there is no database, or it fails. */
  #use<R>(work: (database: Database) => R): R | undefined {
    if (this.#database === null) return undefined
    try {
      this.#database ??= this.#open()
      return this.#database && work(this.#database)
    } catch (error) {
      const code = codeOf(error)
      if (code === undefined) throw error
      if (NO_DAMAGE.has(code)) return undefined
      return this.#discard() ? this.#use(work) : undefined
    }
  }

  #open(): Database | undefined {
    // Never creates the folder: merely listing models must not.
    return existsSync(dirname(this.#path)) ? openDatabase(this.#path) : undefined
  }

  /** Deletes a damaged file so that it is rebuilt, once: a second failure cannot be repaired here. */
  #discard(): boolean {
    this.#database?.close()
    this.#database = this.#wasRebuilt || !removeDatabase(this.#path) ? null : undefined
    this.#wasRebuilt = true
    return this.#database === undefined
  }
}

/** @throws an SQLite error */
function openDatabase(path: string): Database {
  const database = new Database(path, { create: true })
  try {
    // Anything lost in a power failure can be read again.
    database.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}; PRAGMA synchronous = OFF`)
    const { user_version: format } =
      database.query<{ user_version: number }, []>("PRAGMA user_version").get() ?? {}
    if (format === FORMAT) return database
    database.transaction(() => {
      database.run("DROP TABLE IF EXISTS files")
      database.run(TABLE)
      database.run(`PRAGMA user_version = ${FORMAT}`)
    })()
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

const TABLE = `CREATE TABLE files (tab TEXT, path TEXT, stamp TEXT NOT NULL, value TEXT NOT NULL, hash TEXT NOT NULL,
  PRIMARY KEY (tab, path)) WITHOUT ROWID`

/** Returns false where it cannot be removed. */
function removeDatabase(path: string): boolean {
  try {
    for (const suffix of ["", "-journal", "-wal", "-shm"]) rmSync(path + suffix, { force: true })
    return true
  } catch {
    return false
  }
}

/** SQLite's error code; `undefined` for any other error. */
function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined
  return typeof code === "string" && code.startsWith("SQLITE_") ? code : undefined
}

function hashOf(text: string): string {
  return Bun.hash.xxHash3(text).toString(16)
}

/** Values that JSON cannot express are objects with one of these keys. */
const BIG_INTEGER = "$bigint"
const UNDEFINED = "$undefined"

function toText(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === "bigint") return { [BIG_INTEGER]: String(inner) }
    return inner === undefined ? { [UNDEFINED]: true } : inner
  })
}

function fromText(text: string): unknown {
  const value: unknown = JSON.parse(text)
  return text.includes(BIG_INTEGER) || text.includes(UNDEFINED) ? restored(value) : value
}

function restored(value: unknown): unknown {
  if (value === null || typeof value !== "object") return value
  if (Array.isArray(value)) return value.map(restored)
  if (BIG_INTEGER in value) return BigInt(String(value[BIG_INTEGER]))
  if (UNDEFINED in value) return undefined
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, restored(inner)]))
}
