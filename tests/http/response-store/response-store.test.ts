import { Database } from "bun:sqlite"
import { afterEach, describe, expect, test } from "bun:test"
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { type ResponseLimits, ResponseStore } from "../../../src/http/response-store/response-store"
import { RESPONSES } from "../../../src/limits"
import { createLogger } from "../../../src/log/logger"
import { tempFolder } from "../../support/temp-folder"

const folders: Disposable[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) folder[Symbol.dispose]()
})

function newPath(): string {
  const folder = tempFolder()
  folders.push(folder)
  return join(folder.path, "responses", "responses.sqlite")
}

function open(path = newPath(), given: Partial<ResponseLimits> = {}) {
  const limits: { -readonly [K in keyof ResponseLimits]: ResponseLimits[K] } = {
    isEnabled: true,
    ttlSeconds: null,
    maxBytes: null,
    ...given,
  }
  const clock = { ms: 1_000_000 }
  const logged: string[] = []
  const log = createLogger({ level: "info", format: "json", write: (line) => void logged.push(line) })
  const store = new ResponseStore({ path, log, limits: () => limits, now: () => clock.ms })
  const put = (id: string, previous?: string, text = id, owner = "") =>
    store.put({
      id,
      owner,
      ...(previous !== undefined && { previous }),
      input: JSON.stringify([{ text }]),
      body: JSON.stringify({ id, output: [{ id: `item of ${id}` }] }),
      items: [`item of ${id}`],
    })
  const has = (id: string) => {
    try {
      store.body("", id)
      return true
    } catch {
      return false
    }
  }
  return { store, path, limits, clock, logged, put, has }
}

describe("a store of responses", () => {
  test("makes no file before there is something to keep", () => {
    const { store, path } = open()
    expect(() => store.body("", "a")).toThrow("Response with id 'a' not found.")
    expect(store.withItem("x")).toBeUndefined()
    expect(() => statSync(dirname(path))).toThrow()
  })

  test("keeps conversations from one process to the next, readable by their owner alone", async () => {
    const first = open()
    first.put("a")
    first.put("b", "a")
    first.store.close()
    const { store, path } = open(first.path)
    expect((await store.chain("", "b")).map(({ id, input }) => [id, input])).toEqual([
      ["a", [{ text: "a" }]],
      ["b", [{ text: "b" }]],
    ])
    expect(JSON.parse(store.body("", "b"))).toEqual({ id: "b", output: [{ id: "item of b" }] })
    expect(store.withItem("item of a")).toBe("a")
    expect(statSync(dirname(path)).mode & 0o777).toBe(0o700)
    for (const name of readdirSync(dirname(path)))
      expect([name, statSync(join(dirname(path), name)).mode & 0o777]).toEqual([name, 0o600])
  })

  test("narrows the rights of a file that others could read", () => {
    const first = open()
    first.put("a")
    first.store.close()
    chmodSync(first.path, 0o644)
    open(first.path).has("a")
    expect(statSync(first.path).mode & 0o777).toBe(0o600)
  })

  test("shows a response to its owner only", async () => {
    const { store, put } = open()
    put("a", undefined, "a", "me")
    expect(() => store.body("you", "a")).toThrow("not found")
    expect(() => store.remove("you", "a")).toThrow("not found")
    expect(store.chain("you", "a")).rejects.toThrow("not found")
    expect(store.body("me", "a")).toContain('"a"')
  })

  test("leaves nothing of a deleted response in its files", async () => {
    const { store, path, put } = open()
    put("a", undefined, "a secret ".repeat(5000))
    put("b")
    store.remove("", "a")
    await store.settled()
    expect(() => store.remove("", "a")).toThrow("not found")
    expect(store.withItem("item of a")).toBeUndefined()
    for (const name of readdirSync(dirname(path)))
      expect(readFileSync(join(dirname(path), name)).includes("a secret")).toBe(false)
  })

  test("says that a conversation whose middle is gone cannot be continued", async () => {
    const { store, put } = open()
    put("a")
    put("b", "a")
    put("c", "b")
    store.remove("", "b")
    expect(store.chain("", "c")).rejects.toThrow("an earlier one is gone")
  })

  test("bounds the responses of a conversation, and what they hold", async () => {
    const { store, put } = open()
    for (let index = 0; index < RESPONSES.turns; index++)
      put(`r${index}`, index === 0 ? undefined : `r${index - 1}`)
    expect(store.chain("", `r${RESPONSES.turns - 1}`)).rejects.toThrow("the most there may be")
    expect(await store.chain("", `r${RESPONSES.turns - 2}`)).toHaveLength(RESPONSES.turns - 1)
    const text = "x".repeat(RESPONSES.bytes - 1000)
    const count = Math.ceil(RESPONSES.chainBytes / text.length) + 1
    const large = Array.from({ length: count }, (_, index) => `large${index}`)
    large.forEach((id, index) => put(id, large[index - 1], text))
    expect(store.chain("", `large${count - 1}`)).rejects.toThrow("is larger than")
    expect(() => put("whole", undefined, "x".repeat(RESPONSES.bytes))).toThrow("it is too large")
  })

  test("drops what was not used for longest when there is too much, and keeps conversations whole", async () => {
    const { store, put, has, clock } = open(undefined, { maxBytes: 3200 })
    const text = "x".repeat(900)
    put("a", undefined, text)
    clock.ms += 120_000
    put("b", undefined, text)
    clock.ms += 120_000
    await store.chain("", "a")
    put("c", "a", text)
    put("d", undefined, text)
    await store.settled()
    expect(["a", "b", "c", "d"].filter(has)).toEqual(["a", "c", "d"])
  })

  test("drops what is too old, also where nothing new comes", async () => {
    const { store, put, has, clock, limits } = open(undefined, { ttlSeconds: 100 })
    put("a")
    clock.ms += 101_000
    expect(has("a")).toBe(false)
    put("b")
    await store.settled()
    limits.ttlSeconds = null
    expect(["a", "b"].filter(has)).toEqual(["b"])
  })

  test("bounds the number of responses", async () => {
    const { store, put, path } = open()
    put("a")
    const database = new Database(path)
    database.run(
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${RESPONSES.rows})
       INSERT INTO responses SELECT 'n' || i, '', NULL, 1, 10, 10, i, '[]', '{}' FROM n`,
    )
    database.close()
    put("b")
    await store.settled()
    const counted = new Database(path).query("SELECT COUNT(*) AS count FROM responses").get()
    expect(counted).toEqual({ count: RESPONSES.rows })
  })

  test.each([
    ["damaged", (path: string) => writeFileSync(path, "no database ".repeat(1000)), "it is damaged"],
    [
      "another program's",
      (path: string) => {
        const database = new Database(path)
        database.run("CREATE TABLE notes (text TEXT)")
        database.close()
      },
      "it belongs to another program",
    ],
  ])("leaves a file that is %s as it is, beside a new one", (_, write, reason) => {
    const { path, put, has, logged } = open()
    mkdirSync(dirname(path))
    write(path)
    const before = readFileSync(path)
    put("a")
    expect(has("a")).toBe(true)
    expect(readFileSync(`${path}.unreadable`)).toEqual(before)
    expect(logged).toHaveLength(1)
    expect(logged[0]).toContain("the stored responses cannot be read")
    expect(logged[0]).toContain(reason)
  })

  test("notices damage while it runs", () => {
    const { path, put, has, store, logged } = open()
    put("a", undefined, "x".repeat(100_000))
    store.close()
    const bytes = readFileSync(path)
    writeFileSync(path, bytes.fill(0x55, 16_384))
    const after = open(path)
    after.put("b")
    expect(after.has("b")).toBe(true)
    expect(has("b")).toBe(true)
    expect(after.logged.length + logged.length).toBeGreaterThan(0)
    expect(readdirSync(dirname(path))).toContain("responses.sqlite.unreadable")
  })

  test("is used by two servers at once", async () => {
    const one = open()
    const other = open(one.path)
    for (let index = 0; index < 20; index++) {
      one.put(`one${index}`)
      other.put(`other${index}`, `one${index}`)
    }
    expect(await one.store.chain("", "other19")).toHaveLength(2)
  })

  test("says why it cannot keep one", () => {
    const { path, put } = open()
    writeFileSync(dirname(path), "a file")
    expect(() => put("a")).toThrow("the server cannot store the response: ")
  })
})
