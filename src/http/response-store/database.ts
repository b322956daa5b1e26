import { Database, SQLiteError } from "bun:sqlite"
import { closeSync, existsSync, fchmodSync, mkdirSync, openSync, renameSync } from "node:fs"
import { dirname } from "node:path"

/** Marks files as ours: "xLLM". */
const APPLICATION_ID = 0x784c4c4d

/** Of the tables below. */
const VERSION = 1

/** How long a statement may wait for another server's, in milliseconds: other requests wait as long. */
const BUSY_MS = 20

/** Large rows take few pages, which are quick to free. */
const PAGE_BYTES = 16_384

/** Of the log of changes, before they are moved into the file: some milliseconds. */
const LOG_PAGES = 128

/** `used_at` in ms since 1970; `chain_bytes` and `depth`: of the response and all before it. */
const TABLES = `
  CREATE TABLE IF NOT EXISTS responses (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    previous TEXT,
    depth INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    chain_bytes INTEGER NOT NULL,
    used_at INTEGER NOT NULL,
    input TEXT NOT NULL,
    body TEXT NOT NULL
  );
  CREATE INDEX IF NOT EXISTS responses_by_use ON responses (used_at, bytes);
  CREATE TABLE IF NOT EXISTS items (id TEXT PRIMARY KEY, response TEXT NOT NULL) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS items_by_response ON items (response);`

/** The file cannot be read as a store of responses. */
export class UnreadableFile extends Error {}

/**
 * Opens the file, readable by its owner alone, or creates it.
 * @throws UnreadableFile if it is damaged or something else's; errors of the system
 */
export function openDatabase(path: string): Database {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  // Before SQLite does, which would make it readable by others; its other files get the mode of this one.
  const file = openSync(path, "a", 0o600)
  fchmodSync(file, 0o600)
  closeSync(file)
  const database = new Database(path, { strict: true })
  try {
    prepare(database)
    return database
  } catch (error) {
    database.close()
    if (error instanceof UnreadableFile || !isDamage(error)) throw error
    throw new UnreadableFile("it is damaged, or no SQLite file", { cause: error })
  }
}

/** @throws UnreadableFile */
function prepare(database: Database): void {
  const valueOf = (name: string): unknown =>
    Object.values(database.query(`PRAGMA ${name}`).get() as object)[0]
  database.run(`PRAGMA busy_timeout = ${BUSY_MS}`)
  const isNew = valueOf("schema_version") === 0
  if (!isNew && valueOf("application_id") !== APPLICATION_ID)
    throw new UnreadableFile("it belongs to another program")
  if (!isNew && valueOf("user_version") !== VERSION)
    throw new UnreadableFile("it belongs to another version of xLLM")
  // Deleted answers are overwritten, not only forgotten.
  database.run("PRAGMA secure_delete = ON")
  // Waiting for the disk would make all other requests wait: at worst, a power failure costs the conversations.
  database.run("PRAGMA synchronous = OFF")
  if (isNew) {
    database.run(`PRAGMA page_size = ${PAGE_BYTES}`)
    database.run("PRAGMA auto_vacuum = INCREMENTAL")
  }
  database.run("PRAGMA journal_mode = WAL")
  database.run(`PRAGMA wal_autocheckpoint = ${LOG_PAGES}`)
  if (!isNew) return
  database.transaction(() => {
    database.run(TABLES)
    database.run(`PRAGMA application_id = ${APPLICATION_ID}`)
    database.run(`PRAGMA user_version = ${VERSION}`)
  })()
}

/** Empties the log of changes, which still has what was deleted. */
export function forgetChanges(database: Database): void {
  database.run("PRAGMA wal_checkpoint(TRUNCATE)")
}

/** Is it an error of a file whose content is wrong? */
export function isDamage(error: unknown): boolean {
  if (error instanceof UnreadableFile) return true
  return error instanceof SQLiteError && /^SQLITE_(?:CORRUPT|NOTADB)/.test(error.code ?? "")
}

/** SQLite's errors that are the system's, by their names there. */
const SYSTEM_CODES: readonly (readonly [RegExp, string])[] = [
  [/^SQLITE_FULL/, "ENOSPC"],
  [/^SQLITE_(?:READONLY|CANTOPEN|PERM)/, "EACCES"],
  [/^SQLITE_(?:BUSY|LOCKED)/, "EBUSY"],
  [/^SQLITE_IOERR/, "EIO"],
]

/** The error as the system reports it, which has words for it; others unchanged. */
export function toSystemError(error: unknown): unknown {
  if (!(error instanceof SQLiteError)) return error
  const [, code] = SYSTEM_CODES.find(([pattern]) => pattern.test(error.code ?? "")) ?? []
  return code === undefined ? error : Object.assign(new Error(error.message, { cause: error }), { code })
}

/** Renames a file that cannot be read, with those that SQLite keeps beside it. Returns its new path. */
export function setAside(path: string): string {
  let aside = `${path}.unreadable`
  for (let number = 2; existsSync(aside); number++) aside = `${path}.unreadable-${number}`
  for (const ending of ["", "-wal", "-shm"])
    if (existsSync(path + ending)) renameSync(path + ending, aside + ending)
  return aside
}
