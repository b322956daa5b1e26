import { Database } from "bun:sqlite"
import { describe, expect, test } from "bun:test"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { createStore } from "../../src/store"
import { MetadataCache } from "../../src/store/metadata-cache"
import { ModelsFolder } from "../support/files/models-folder"
import { writeTinyModel } from "../support/files/tiny-model"
import { tempFolder } from "../support/temp-folder"

/** What one process keeps, another one finds; saving happens when the event loop comes to it. */
async function keep(path: string, values: Readonly<Record<string, unknown>>): Promise<void> {
  const table = new MetadataCache(path).table("things")
  for (const [key, value] of Object.entries(values)) table.set(key, "v1", value)
  await new Promise((resolve) => setImmediate(resolve))
}

const found = (path: string, key: string, stamp = "v1") =>
  new MetadataCache(path).table("things").get(key, stamp)

describe("the cache of metadata", () => {
  test("keeps what was read of a version of a file, for other processes too", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "index.sqlite")
    const value = {
      text: "a\0ü",
      list: [1, null, true],
      big: 2n ** 63n,
      nested: { big: -5n, lack: [undefined, 1, undefined] },
    }
    await keep(path, { "/a": value, "/b": "b" })
    expect(found(path, "/a")).toStrictEqual(value)
    expect(found(path, "/b")).toBe("b")
    expect(found(path, "/a", "v2")).toBeUndefined()
    expect(found(path, "/c")).toBeUndefined()
  })

  test("tells tables apart", async () => {
    using folder = tempFolder()
    const cache = new MetadataCache(join(folder.path, "index.sqlite"))
    cache.table("one").set("/a", "v", 1)
    cache.table("two").set("/a", "v", 2)
    expect(cache.table("one").get("/a", "v")).toBe(1)
    expect(cache.table("two").get("/a", "v")).toBe(2)
  })

  test("holds the newest of several versions", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "index.sqlite")
    const table = new MetadataCache(path).table("things")
    for (const version of ["v1", "v2", "v3"]) table.set("/a", version, version)
    await new Promise((resolve) => setImmediate(resolve))
    expect(found(path, "/a", "v3")).toBe("v3")
    expect(found(path, "/a", "v1")).toBeUndefined()
  })

  const DAMAGE: readonly (readonly [what: string, damage: (path: string) => void])[] = [
    [
      "is no database",
      (path) => writeFileSync(path, "this is no database, whatever its name says".repeat(200)),
    ],
    ["is empty", (path) => writeFileSync(path, "")],
    ["was cut short", (path) => truncateSync(path, Math.floor(statSync(path).size / 2) + 7)],
    ["is full of holes", (path) => overwrite(path, 100, 4000)],
    ["has other tables", (path) => rewrite(path, "DROP TABLE files; CREATE TABLE files (x)")],
    ["has no table", (path) => rewrite(path, "DROP TABLE files")],
    ["is of another version", (path) => rewrite(path, "PRAGMA user_version = 999999")],
  ]

  test.each(DAMAGE)("that %s is made anew, silently", async (_what, damage) => {
    using folder = tempFolder()
    const path = join(folder.path, "index.sqlite")
    await keep(
      path,
      Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`/${index}`, "x".repeat(200)])),
    )
    damage(path)
    expect([undefined, "x".repeat(200)]).toContain(found(path, "/7") as string)
    await keep(path, { "/7": "new" })
    expect(found(path, "/7")).toBe("new")
  })

  test("does not believe a value that was changed", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "index.sqlite")
    await keep(path, { "/a": { text: "true" } })
    rewrite(path, `UPDATE files SET value = '{"text":"lie"}'`)
    expect(found(path, "/a")).toBeUndefined()
  })

  test("lasts as long as the process where there is no folder, and makes none", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "none/index.sqlite")
    const table = new MetadataCache(path).table("things")
    table.set("/a", "v1", 1)
    await new Promise((resolve) => setImmediate(resolve))
    expect(table.get("/a", "v1")).toBe(1)
    expect(existsSync(join(folder.path, "none"))).toBeFalse()
  })

  test("lasts as long as the process where a folder is in its place", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "index.sqlite")
    mkdirSync(path)
    const table = new MetadataCache(path).table("things")
    table.set("/a", "v1", 1)
    await new Promise((resolve) => setImmediate(resolve))
    expect(table.get("/a", "v1")).toBe(1)
    expect(found(path, "/a")).toBeUndefined()
  })

  test("forgets files that are no more", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "index.sqlite")
    const here = join(folder.path, "here")
    writeFileSync(here, "")
    await keep(path, { [here]: 1, "/gone/away": 2 })
    new MetadataCache(path).prune()
    expect([found(path, here), found(path, "/gone/away")]).toEqual([1, undefined])
  })

  test("is written by several processes at once", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "index.sqlite")
    const script = `
      const { MetadataCache } = await import(${JSON.stringify(join(import.meta.dir, "../../src/store/metadata-cache"))})
      const [path, me] = process.argv.slice(-2)
      const table = new MetadataCache(path).table("things")
      for (let round = 0; round < 30; round++) {
        table.set("/" + me + "/" + round, "v1", { me, round })
        await new Promise((resolve) => setImmediate(resolve))
      }`
    const children = Array.from({ length: 4 }, (_, me) =>
      Bun.spawn([process.execPath, "-e", script, path, String(me)], { stdout: "inherit", stderr: "inherit" }),
    )
    expect(await Promise.all(children.map((child) => child.exited))).toEqual([0, 0, 0, 0])
    for (let me = 0; me < 4; me++) {
      for (let round = 0; round < 30; round++) {
        // A process that would have to wait long does not save.
        expect([undefined, { me: String(me), round }]).toContainEqual(
          found(path, `/${me}/${round}`) as undefined,
        )
      }
    }
    await keep(path, { "/after": "it works" })
    expect(found(path, "/after")).toBe("it works")
  })
})

describe("a store with a cache", () => {
  test("reads a header once for each version of a file, in whatever process", async () => {
    using models = new ModelsFolder()
    mkdirSync(models.path)
    const path = join(models.path, "m.gguf")
    await writeTinyModel(path, { layers: 1, contextLength: 1111 })
    utimesSync(path, 1000, 1000)
    expect(await models.store.describe("m")).toMatchObject({ contextLength: 1111 })
    await new Promise((resolve) => setImmediate(resolve))
    // The same size, time and place, but other content: only who reads it would notice.
    const bytes = readFileSync(path)
    bytes.fill(0, 0, 64)
    writeFileSync(path, bytes)
    utimesSync(path, 1000, 1000)
    const another = createStore({ modelsFolder: models.path })
    expect(await another.describe("m")).toMatchObject({ contextLength: 1111 })
    expect((await another.list()).map(({ name }) => name)).toEqual(["m"])
    utimesSync(path, 1000, 1001)
    await expect(another.describe("m")).rejects.toThrow("it is not a GGUF file")
  })

  test("finds the same where the cache cannot be written", async () => {
    using models = new ModelsFolder()
    await models.installTiny("a", { contextLength: 55 })
    chmodSync(models.path, 0o555)
    try {
      const another = createStore({ modelsFolder: models.path })
      expect(await another.describe("a")).toMatchObject({ contextLength: 55 })
      await new Promise((resolve) => setImmediate(resolve))
      expect((await another.list()).map(({ name }) => name)).toEqual(["a:latest"])
    } finally {
      chmodSync(models.path, 0o755)
    }
  })
})

function rewrite(path: string, statements: string): void {
  const database = new Database(path)
  database.run(statements)
  database.close()
}

/** Fills a part of a file with bytes that mean nothing. */
function overwrite(path: string, from: number, bytes: number): void {
  const content = readFileSync(path)
  content.fill(0xa5, from, from + bytes)
  writeFileSync(path, content)
}
