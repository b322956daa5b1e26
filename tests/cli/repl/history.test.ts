import { describe, expect, test } from "bun:test"
import { readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { History, HISTORY_SIZE } from "../../../src/cli/repl/history"
import { tempFolder } from "../../support/temp-folder"

describe("the history", () => {
  test("is kept from one time to the next, for nobody else to read", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "new", "history")
    const first = new History(path)
    expect(await first.load()).toEqual([])
    await first.add("one")
    await first.add("  ")
    await first.add("two")
    expect(await new History(path).load()).toEqual(["one", "two"])
    expect(statSync(path).mode & 0o077).toBe(0)
  })

  test("has an entry of several lines as one", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "history")
    const entries = ["plain", "one\ntwo", '"quoted"', '"""begun', "\\n"]
    const history = new History(path)
    for (const entry of entries) await history.add(entry)
    await history.add("x".repeat(100_000))
    expect(await new History(path).load()).toEqual(entries)
  })

  test("can be switched off", async () => {
    using folder = tempFolder()
    const history = new History(join(folder.path, "history"))
    history.isOn = false
    await history.add("secret")
    history.isOn = true
    await history.add("open")
    expect(await history.load()).toEqual(["open"])
  })

  test("does not grow without end", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "history")
    writeFileSync(path, Array.from({ length: 3 * HISTORY_SIZE }, (_, index) => `line ${index}\n`).join(""))
    const lines = await new History(path).load()
    expect(lines).toHaveLength(HISTORY_SIZE)
    expect(lines.at(-1)).toBe(`line ${3 * HISTORY_SIZE - 1}`)
    expect(readFileSync(path, "utf8").split("\n")).toHaveLength(HISTORY_SIZE + 1)
  })

  test("that cannot be written is no error", async () => {
    using folder = tempFolder()
    writeFileSync(join(folder.path, "file"), "")
    const history = new History(join(folder.path, "file", "history"))
    await history.add("line")
    expect(await history.load()).toEqual([])
  })
})
