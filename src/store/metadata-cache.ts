import { Database } from "bun:sqlite"
import { existsSync, rmSync } from "node:fs"
import { dirname } from "node:path"
import { version } from "../version"

/**
 * What another version of the program has kept is forgotten: it may have recognised less. The number is to be raised
 * where what is kept means something else within a version.
 */
const FORMAT = Bun.hash.crc32(`3 ${version}`) % 2 ** 31
/** The event loop stands still while another process writes; its transactions take a few milliseconds. */
const BUSY_TIMEOUT_MS = 20
/** What these say passes, or is the folder's business; after anything else the file is of no use. */
const NO_DAMAGE: ReadonlySet<string> = new Set([
  "SQLITE_BUSY",
  "SQLITE_LOCKED",
  "SQLITE_READONLY",
  "SQLITE_READONLY_DIRECTORY",
  "SQLITE_CANTOPEN",
  "SQLITE_PERM",
  "SQLITE_FULL",
])

/** What was read of files of one sort, by path. */
export interface CacheTable<T> {
  /** What was kept, if it was read of the same version of the file. */
  get(path: string, stamp: string): T | undefined
  /** `value` is plain data; big integers and `undefined` are allowed. */
  set(path: string, stamp: string, value: T): void
}

interface Row {
  readonly stamp: string
  readonly value: string
  /** Of the value: a file that was damaged may still be a database. */
  readonly hash: string
}

interface Known {
  readonly stamp: string
  readonly value: unknown
}

/**
 * Remembers what was read of models' files for as long as they stay as they are, for this process and the next ones.
 * It can be lost at any time: what is damaged is made anew, and where nothing can be written it lasts as long as the
 * process. Any number of processes may use one file.
 */
export class MetadataCache {
  readonly #path: string
  /** `undefined` before the first use; `null` where there can be none. */
  #database: Database | null | undefined
  #wasRebuilt = false
  readonly #known = new Map<string, Known>()
  readonly #unsaved = new Map<string, readonly [table: string, path: string, row: Row]>()
  #saving: ReturnType<typeof setImmediate> | undefined

  /** `path`: the file, whose folder need not exist. Nothing is opened before it is needed. */
  constructor(path: string) {
    this.#path = path
  }

  table<T>(name: string): CacheTable<T> {
    return {
      // Only what this version has written under that name is found there.
      get: (path, stamp) => this.#get(name, path, stamp) as T | undefined,
      set: (path, stamp, value) => this.#set(name, path, stamp, value),
    }
  }

  /** Forgets files that are no more. */
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
    // Everything that is read in one go is written in one transaction.
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
    // What could not be saved is tried again together with what comes next.
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
    // No folder is made: it would be there after a look at models that do not exist.
    return existsSync(dirname(this.#path)) ? openDatabase(this.#path) : undefined
  }

  /** Makes room for a new file, once: where that one fails too there is something that cannot be repaired here. */
  #discard(): boolean {
    this.#database?.close()
    this.#database = this.#wasRebuilt || !removeDatabase(this.#path) ? null : undefined
    this.#wasRebuilt = true
    return this.#database === undefined
  }
}

/** @throws an error of SQLite */
function openDatabase(path: string): Database {
  const database = new Database(path, { create: true })
  try {
    // What is lost when the power fails can be read again.
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

/** False where it cannot be removed. */
function removeDatabase(path: string): boolean {
  try {
    for (const suffix of ["", "-journal", "-wal", "-shm"]) rmSync(path + suffix, { force: true })
    return true
  } catch {
    return false
  }
}

/** SQLite's name for what went wrong; `undefined` for any other error. */
function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined
  return typeof code === "string" && code.startsWith("SQLITE_") ? code : undefined
}

function hashOf(text: string): string {
  return Bun.hash.xxHash3(text).toString(16)
}

/** What JSON cannot say is said by objects with one of these keys. */
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
