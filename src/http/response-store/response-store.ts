import type { Database } from "bun:sqlite"
import { existsSync } from "node:fs"
import { reasonOf } from "../../errors/base"
import { StorageFailed } from "../../errors/engine"
import { InvalidRequest, ResponseNotFound } from "../../errors/request"
import { breathe } from "../../lib/async/breathe"
import { formatSize } from "../../lib/text/bytes"
import { RESPONSES } from "../../limits"
import type { Logger } from "../../log/logger"
import { forgetChanges, isDamage, openDatabase, setAside, toSystemError } from "./database"

/** Whether responses are kept, how long, and how much space they may take. */
export interface ResponseLimits {
  /** Whether new ones are kept. */
  readonly isEnabled: boolean
  /** Seconds after their last use; `null`: for ever. */
  readonly ttlSeconds: number | null
  /** Of all responses; `null`: no limit. */
  readonly maxBytes: number | null
}

export interface ResponseStoreOptions {
  /** Of the file, which is made when the first response is kept. */
  readonly path: string
  readonly log: Logger
  /** Called whenever they are needed: they may change while the server runs. */
  readonly limits: () => ResponseLimits
  /** Milliseconds, like `Date.now`. */
  readonly now?: () => number
}

/** A response with what it answered. */
export interface NewResponse {
  readonly id: string
  /** Who may read it; empty: all. */
  readonly owner: string
  /** The response that it continues. */
  readonly previous?: string
  /** JSON of a list: the items of its own request. */
  readonly input: string
  /** JSON of the response. */
  readonly body: string
  /** Ids of the items in it. */
  readonly items: readonly string[]
}

/** One response of a conversation. */
export interface StoredTurn {
  readonly id: string
  /** What its request added. */
  readonly input: readonly unknown[]
  readonly body: Readonly<Record<string, unknown>>
}

interface Row {
  readonly id: string
  readonly previous: string | null
  readonly depth: number
  readonly bytes: number
  readonly chain_bytes: number
  readonly used_at: number
  readonly input: string
  readonly body: string
}

/** Deleted at once; then other requests have their turn. */
const DELETED_AT_ONCE = 8

/** Free pages that are given back to the system at once. */
const PAGES_AT_ONCE = 256

/** Uses are written down this rarely, in milliseconds. */
const USE_MS = 60_000

/** Read before other requests have their turn, in bytes. */
const READ_AT_ONCE = 256 * 1024

/**
 * Responses that later requests continue or fetch: one SQLite file, which several servers may share. Statements run on
 * the server's own thread, so each of them is bounded.
 */
export class ResponseStore {
  readonly #options: ResponseStoreOptions
  readonly #now: () => number
  #database: Database | undefined
  #purging: Promise<void> | undefined

  constructor(options: ResponseStoreOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
  }

  /** Are new responses kept? */
  get isEnabled(): boolean {
    return this.#options.limits().isEnabled
  }

  /** Keeps a response. @throws StorageFailed, also for one that is too large */
  put({ id, owner, previous, input, body, items }: NewResponse): void {
    const bytes = Buffer.byteLength(input) + Buffer.byteLength(body)
    if (bytes > RESPONSES.bytes) throw new StorageFailed("the response", new Error("it is too large"))
    this.#use((database) => {
      const before = database
        .query("SELECT depth, chain_bytes FROM responses WHERE id = ? AND owner = ?")
        .get(previous ?? "", owner) as Pick<Row, "depth" | "chain_bytes"> | null
      database.transaction(() => {
        database
          .query(
            "INSERT INTO responses (id, owner, previous, depth, bytes, chain_bytes, used_at, input, body)" +
              " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
          )
          .run(
            ...[id, owner, previous ?? null, (before?.depth ?? 0) + 1, bytes],
            ...[(before?.chain_bytes ?? 0) + bytes, this.#now(), input, body],
          )
        const insert = database.query("INSERT OR REPLACE INTO items (id, response) VALUES (?, ?)")
        for (const item of items.slice(0, RESPONSES.items)) insert.run(item, id)
      })()
    })
    this.#purge()
  }

  /** The JSON of a response. @throws ResponseNotFound, StorageFailed */
  body(owner: string, id: string): string {
    const row = this.#read((database) => this.#row(database, owner, id))
    if (row === undefined) throw new ResponseNotFound(id)
    return row.body
  }

  /**
   * A response and all that it continues, the oldest first.
   * @throws ResponseNotFound; InvalidRequest if the conversation is too long, or part of it is gone; StorageFailed
   */
  async chain(owner: string, id: string): Promise<readonly StoredTurn[]> {
    const rows: Row[] = []
    const turns: StoredTurn[] = []
    let sinceBreath = 0
    for (let next: string | null = id; next !== null;) {
      const wanted: string = next
      const row: Row | undefined = this.#read((database) => this.#row(database, owner, wanted))
      if (row === undefined && rows.length === 0) throw new ResponseNotFound(id)
      if (row === undefined)
        throw new InvalidRequest(`response '${id}' cannot be continued: an earlier one is gone`, PREVIOUS)
      if (rows.length === 0) checkLength(row)
      rows.push(row)
      turns.push({ id: row.id, input: listIn(row.input), body: objectIn(row.body) })
      next = row.previous
      if ((sinceBreath += row.bytes) < READ_AT_ONCE) continue
      sinceBreath = 0
      await breathe()
    }
    await this.#used(rows)
    return turns.reverse()
  }

  /** The id of the response that has an item in its output. @throws StorageFailed */
  withItem(item: string): string | undefined {
    const row = this.#read(
      (database) =>
        database.query("SELECT response FROM items WHERE id = ?").get(item) as { response: string } | null,
    )
    return row?.response
  }

  /** @throws ResponseNotFound, StorageFailed */
  remove(owner: string, id: string): void {
    const isThere = this.#read((database) => {
      if (this.#row(database, owner, id) === undefined) return false
      this.#delete(database, id)
      forgetChanges(database)
      return true
    })
    if (isThere !== true) throw new ResponseNotFound(id)
    this.#purge()
  }

  /** Resolves when what had to go is gone. */
  async settled(): Promise<void> {
    await this.#purging
  }

  close(): void {
    this.#database?.close()
    this.#database = undefined
  }

  #row(database: Database, owner: string, id: string): Row | undefined {
    const row = database
      .query("SELECT * FROM responses WHERE id = ? AND owner = ?")
      .get(id, owner) as Row | null
    return row === null || row.used_at < this.#oldest() ? undefined : row
  }

  #delete(database: Database, id: string): void {
    database.transaction(() => {
      database.query("DELETE FROM items WHERE response = ?").run(id)
      database.query("DELETE FROM responses WHERE id = ?").run(id)
    })()
  }

  /** Last uses before this time are too long ago. */
  #oldest(): number {
    const { ttlSeconds } = this.#options.limits()
    return ttlSeconds === null ? Number.NEGATIVE_INFINITY : this.#now() - ttlSeconds * 1000
  }

  /** The whole conversation was used: its beginning stays as long as its end. */
  async #used(rows: readonly Row[]): Promise<void> {
    const now = this.#now()
    const old = rows.filter(({ used_at }) => used_at < now - USE_MS)
    for (let start = 0; start < old.length; start += DELETED_AT_ONCE) {
      this.#read((database) =>
        database.transaction(() => {
          const update = database.query("UPDATE responses SET used_at = ? WHERE id = ?")
          for (const { id } of old.slice(start, start + DELETED_AT_ONCE)) update.run(now, id)
        })(),
      )
      await breathe()
    }
  }

  /** Deletes what is too old or too much, in small steps. */
  #purge(): void {
    this.#purging ??= this.#purgeAll()
      .catch((error: unknown) =>
        this.#options.log.warn("old responses were not deleted", { reason: reasonOf(error) }),
      )
      .finally(() => (this.#purging = undefined))
  }

  async #purgeAll(): Promise<void> {
    do await breathe()
    while (this.#database !== undefined && this.#use((database) => this.#purgeSome(database)))
  }

  /** Returns whether there may be more. */
  #purgeSome(database: Database): boolean {
    const { maxBytes } = this.#options.limits()
    const all = database
      .query("SELECT COUNT(*) AS count, COALESCE(SUM(bytes), 0) AS bytes FROM responses")
      .get() as { count: number; bytes: number }
    const oldest = database
      .query("SELECT id, bytes, used_at FROM responses ORDER BY used_at LIMIT ?")
      .all(DELETED_AT_ONCE) as Pick<Row, "id" | "bytes" | "used_at">[]
    let { count, bytes } = all
    let deleted = 0
    for (const row of oldest) {
      const isTooMuch = count > RESPONSES.rows || bytes > (maxBytes ?? Number.POSITIVE_INFINITY)
      if (!isTooMuch && row.used_at >= this.#oldest()) break
      this.#delete(database, row.id)
      count--
      bytes -= row.bytes
      deleted++
    }
    if (deleted > 0) {
      database.run(`PRAGMA incremental_vacuum(${PAGES_AT_ONCE})`)
      forgetChanges(database)
    }
    return deleted === DELETED_AT_ONCE
  }

  /** As {@link #use}, but makes no file: undefined where there is none. */
  #read<T>(work: (database: Database) => T): T | undefined {
    if (this.#database === undefined && !existsSync(this.#options.path)) return undefined
    return this.#use(work)
  }

  /**
   * Opens the file where needed. One that cannot be read, whenever that turns out, is renamed, and a new one is begun.
   * @throws StorageFailed
   */
  #use<T>(work: (database: Database) => T): T {
    try {
      try {
        return work((this.#database ??= openDatabase(this.#options.path)))
      } catch (error) {
        if (!isDamage(error)) throw error
        this.close()
        const aside = setAside(this.#options.path)
        this.#options.log.error("the stored responses cannot be read; a new file was begun", {
          reason: reasonOf(error),
          kept_as: aside,
        })
        return work((this.#database = openDatabase(this.#options.path)))
      }
    } catch (error) {
      throw new StorageFailed("the response", toSystemError(error))
    }
  }
}

const PREVIOUS = "previous_response_id"

/** @throws InvalidRequest */
function checkLength({ id, depth, chain_bytes: bytes }: Row): void {
  if (depth >= RESPONSES.turns)
    throw new InvalidRequest(
      `response '${id}' cannot be continued: its conversation has ${depth} responses, the most there may be`,
      PREVIOUS,
    )
  if (bytes > RESPONSES.chainBytes)
    throw new InvalidRequest(
      `response '${id}' cannot be continued: its conversation is larger than ${formatSize(RESPONSES.chainBytes)}`,
      PREVIOUS,
    )
}

/** What {@link ResponseStore.put} wrote. */
function listIn(json: string): readonly unknown[] {
  const value: unknown = JSON.parse(json)
  return Array.isArray(value) ? value : []
}

function objectIn(json: string): StoredTurn["body"] {
  return JSON.parse(json) as StoredTurn["body"]
}
