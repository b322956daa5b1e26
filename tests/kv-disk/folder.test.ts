import { describe, expect, test } from "bun:test"
import { readdirSync, readFileSync, statSync, truncateSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { PromptFolder, type SavedPrompt, type UnsavedPrompt } from "../../src/kv-disk/folder"
import { canMount, mountReadOnly, mountSmallDisk } from "../support/small-disk"
import { tempFolder } from "../support/temp-folder"

const MIB = 1024 ** 2

function prompt(
  first: number,
  changes: Partial<UnsavedPrompt> & { readonly stateBytes?: number } = {},
): UnsavedPrompt {
  const { stateBytes = 5000, ...others } = changes
  return {
    fingerprint: "f".repeat(64),
    model: "qwen3:0.6b",
    modelId: "abc",
    realm: "",
    computeMs: 1000,
    tokens: Int32Array.from({ length: 300 }, (_, at) => first + at),
    state: Uint8Array.from({ length: stateBytes }, (_, at) => (first + at * 7) % 251),
    ...others,
  }
}

function openFolder(
  folder: string,
  maxBytes = 64 * MIB,
): { readonly files: PromptFolder; readonly warnings: string[] } {
  const warnings: string[] = []
  return { files: new PromptFolder({ folder, maxBytes, warn: (text) => warnings.push(text) }), warnings }
}

/** The only file of a folder. */
function onlyFile(folder: string): string {
  const [name = "", ...others] = readdirSync(folder)
  expect(others).toEqual([])
  return join(folder, name)
}

function only<T>(list: readonly T[]): T {
  const [first] = list
  if (first === undefined || list.length > 1) throw new Error(`expected one, got ${list.length}`)
  return first
}

const firstTokens = (prompts: readonly SavedPrompt[]) => prompts.map(({ tokens }) => tokens[0]).sort()

describe("a prompt on disk", () => {
  test("is found by another process with all that was written", async () => {
    using temp = tempFolder()
    const written = prompt(1, { realm: "team-a", computeMs: 1234 })
    expect(await openFolder(join(temp.path, "kv")).files.write(written)).toBe(true)
    const { files } = openFolder(join(temp.path, "kv"))
    const found = only(await files.list(written.fingerprint))
    expect(found).toMatchObject({
      model: "qwen3:0.6b",
      modelId: "abc",
      realm: "team-a",
      computeMs: 1234,
      uses: 0,
    })
    expect(found.tokens).toEqual(written.tokens)
    expect(await files.read(found)).toEqual(Buffer.from(written.state))
  })

  test("is readable by its owner alone", async () => {
    using temp = tempFolder()
    const folder = join(temp.path, "kv")
    await openFolder(folder).files.write(prompt(1))
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    expect(statSync(onlyFile(folder)).mode & 0o777).toBe(0o600)
  })

  test("is only listed for its own fingerprint, even where the names begin alike", async () => {
    using temp = tempFolder()
    const { files } = openFolder(temp.path)
    await files.write(prompt(1))
    expect(await files.list(`${"f".repeat(63)}0`)).toEqual([])
    expect(await files.list("e".repeat(64))).toEqual([])
  })

  test("counts its uses, and is younger after each", async () => {
    using temp = tempFolder()
    const { files } = openFolder(temp.path)
    await files.write(prompt(1))
    utimesSync(onlyFile(temp.path), 1000, 1000)
    await files.countUse(only(await files.list()))
    await files.countUse(only(await files.list()))
    const used = only(await openFolder(temp.path).files.list())
    expect(used.uses).toBe(2)
    expect(used.usedAt).toBeGreaterThan(1_000_000)
    expect(await files.read(used)).toEqual(Buffer.from(prompt(1).state))
  })

  test("is one file however often it is written", async () => {
    using temp = tempFolder()
    await Promise.all([1, 2, 3].map(() => openFolder(temp.path).files.write(prompt(1))))
    expect(readdirSync(temp.path)).toHaveLength(1)
  })

  test("is separate from that of another realm", async () => {
    using temp = tempFolder()
    const { files } = openFolder(temp.path)
    await files.write(prompt(1))
    await files.write(prompt(1, { realm: "b" }))
    expect((await files.list()).map(({ realm }) => realm).sort()).toEqual(["", "b"])
  })
})

describe("a damaged file", () => {
  /** Damages a file in one way; reports what is then read, and checks that nothing wrong is. */
  async function readDamaged(folder: string, damage: (path: string) => void): Promise<"deleted" | "intact"> {
    const { files, warnings } = openFolder(folder)
    const whole = prompt(1)
    await files.write(whole)
    const path = onlyFile(folder)
    damage(path)
    const [found] = await files.list()
    const state = found && (await files.read(found))
    if (state !== undefined) {
      expect(state).toEqual(Buffer.from(whole.state))
      expect(found?.tokens).toEqual(whole.tokens)
      return "intact"
    }
    expect(readdirSync(folder)).toEqual([])
    expect(warnings).toHaveLength(1)
    return "deleted"
  }

  test("with one flipped bit is deleted, wherever the bit is", async () => {
    using temp = tempFolder()
    await openFolder(temp.path).files.write(prompt(1))
    const { length } = readFileSync(onlyFile(temp.path))
    // Every byte of the header, and every 97th of the rest.
    for (let at = 0; at < length; at += at < 400 ? 1 : 97) {
      const damage = (path: string) => {
        const bytes = readFileSync(path)
        bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8))
        writeFileSync(path, bytes)
      }
      // The count of uses is no part of what is checked.
      expect([at, await readDamaged(temp.path, damage)]).toEqual([
        at,
        at >= 8 && at < 12 ? "intact" : "deleted",
      ])
    }
  })

  test("cut at every 100th byte is deleted, and one with bytes added too", async () => {
    using temp = tempFolder()
    await openFolder(temp.path).files.write(prompt(1))
    const { length } = readFileSync(onlyFile(temp.path))
    for (let at = 0; at < length; at += 100)
      expect(await readDamaged(temp.path, (path) => truncateSync(path, at))).toBe("deleted")
    const grow = (path: string) => writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(4)]))
    expect(await readDamaged(temp.path, grow)).toBe("deleted")
  })

  test("torn by a power failure, whole in length with blocks that never reached the disk, is deleted", async () => {
    using temp = tempFolder()
    const block = 512
    await openFolder(temp.path).files.write(prompt(1))
    const { length } = readFileSync(onlyFile(temp.path))
    for (let at = 0; at < length; at += block) {
      const damage = (path: string) => {
        const bytes = readFileSync(path)
        bytes.fill(0, at, Math.min(length, at + block))
        writeFileSync(path, bytes)
      }
      expect([at, await readDamaged(temp.path, damage)]).toEqual([at, "deleted"])
    }
  })

  test("that is damaged after it was listed is deleted when it is read", async () => {
    using temp = tempFolder()
    const { files, warnings } = openFolder(temp.path)
    await files.write(prompt(1))
    const found = only(await files.list())
    truncateSync(onlyFile(temp.path), 3000)
    expect(await files.read(found)).toBeUndefined()
    expect(readdirSync(temp.path)).toEqual([])
    expect(warnings).toEqual([expect.stringContaining("deleted the saved prompt")])
  })

  test("that is merely gone is no problem", async () => {
    using temp = tempFolder()
    const { files, warnings } = openFolder(temp.path)
    await files.write(prompt(1))
    const found = only(await files.list())
    await openFolder(temp.path).files.remove(found)
    expect(await files.read(found)).toBeUndefined()
    expect(await files.list()).toEqual([])
    expect(warnings).toEqual([])
  })
})

describe("the folder's limits", () => {
  test("the least valuable prompts make space for a new one", async () => {
    using temp = tempFolder()
    const { files } = openFolder(temp.path, 3.5 * MIB)
    for (const first of [1000, 2000, 3000]) await files.write(prompt(first, { stateBytes: MIB }))
    const oldest = (await files.list()).find(({ tokens }) => tokens[0] === 2000)
    utimesSync(join(temp.path, oldest?.file ?? ""), 1000, 1000)
    expect(await files.write(prompt(4000, { stateBytes: MIB }))).toBe(true)
    expect(firstTokens(await files.list())).toEqual([1000, 3000, 4000])
  })

  test("a prompt that is used is kept longer than an unused one of the same age", async () => {
    using temp = tempFolder()
    const { files } = openFolder(temp.path, 2.5 * MIB)
    for (const first of [1000, 2000]) await files.write(prompt(first, { stateBytes: MIB }))
    const [used] = (await files.list()).filter(({ tokens }) => tokens[0] === 1000)
    if (used === undefined) throw new Error("not written")
    await files.countUse(used)
    for (const { file } of await files.list()) utimesSync(join(temp.path, file), 1000, 1000)
    await files.write(prompt(3000, { stateBytes: MIB }))
    expect(firstTokens(await files.list())).toEqual([1000, 3000])
  })

  test("a prompt larger than the limit is not written, and removes nothing", async () => {
    using temp = tempFolder()
    const { files, warnings } = openFolder(temp.path, 2 * MIB)
    await files.write(prompt(1, { stateBytes: MIB }))
    expect(await files.write(prompt(2, { stateBytes: 2 * MIB }))).toBe(false)
    expect(firstTokens(await files.list())).toEqual([1])
    expect(warnings).toEqual([])
  })

  test("unfinished files of killed processes are removed, those being written are not", async () => {
    using temp = tempFolder()
    const [old, young] = ["old.kv.1-1.tmp", "young.kv.2-1.tmp"].map((name) => join(temp.path, name))
    if (old === undefined || young === undefined) throw new Error("two names")
    for (const path of [old, young]) writeFileSync(path, "part")
    utimesSync(old, 1000, 1000)
    await openFolder(temp.path).files.write(prompt(1))
    expect(readdirSync(temp.path).filter((name) => name.endsWith(".tmp"))).toEqual(["young.kv.2-1.tmp"])
  })

  test("a write that is given up leaves nothing", async () => {
    using temp = tempFolder()
    const { files, warnings } = openFolder(temp.path)
    expect(await files.write(prompt(1), AbortSignal.abort())).toBe(false)
    expect(readdirSync(temp.path)).toEqual([])
    expect(warnings).toEqual([])
  })
})

describe("a folder that cannot be used", () => {
  test("a file in its place is one warning, and nothing is found or saved", async () => {
    using temp = tempFolder()
    const path = join(temp.path, "kv")
    writeFileSync(path, "")
    const { files, warnings } = openFolder(path)
    expect(await files.list()).toEqual([])
    expect(await files.write(prompt(1))).toBe(false)
    expect(await files.write(prompt(2))).toBe(false)
    expect(warnings).toEqual([expect.stringContaining(`prompts cannot be saved in ${path}`)])
  })

  test.skipIf(!canMount)("what is in a read-only folder is still read", async () => {
    using temp = tempFolder()
    const { files, warnings } = openFolder(temp.path)
    await files.write(prompt(1))
    using _readOnly = mountReadOnly(temp.path)
    expect(await files.write(prompt(2))).toBe(false)
    const found = only(await files.list())
    await files.countUse(found)
    expect(await files.read(found)).toEqual(Buffer.from(prompt(1).state))
    expect(warnings).toEqual([expect.stringContaining("the file system is read-only")])
  })

  test.skipIf(!canMount)("at most a tenth of the free disk is used", async () => {
    using temp = tempFolder()
    const path = join(temp.path, "disk")
    using _disk = mountSmallDisk(path, 30)
    const { files, warnings } = openFolder(path)
    for (const first of [1, 2, 3, 4]) await files.write(prompt(first, { stateBytes: MIB }))
    expect(await files.list()).toHaveLength(2)
    expect(await files.write(prompt(5, { stateBytes: 4 * MIB }))).toBe(false)
    expect(warnings).toEqual([])
  })

  test.skipIf(!canMount)(
    "a disk that is full of other files gets no file, and keeps no part of one",
    async () => {
      using temp = tempFolder()
      const path = join(temp.path, "disk")
      using _disk = mountSmallDisk(path, 1)
      try {
        writeFileSync(join(path, "other"), Buffer.alloc(2 * MIB))
      } catch {
        // Full, as intended.
      }
      const { files } = openFolder(path)
      expect(await files.write(prompt(1))).toBe(false)
      expect(readdirSync(path)).toEqual(["other"])
    },
  )
})

describe("a prompt with a name", () => {
  test("is found by it, and replaced by another of the name", async () => {
    using temp = tempFolder()
    const { files } = openFolder(temp.path)
    const { fingerprint } = prompt(1)
    await files.writeNamed({ ...prompt(1), name: "x" })
    const bytes = await files.writeNamed({ ...prompt(2), name: "x" })
    expect(statSync(onlyFile(temp.path)).size).toBe(bytes)
    const found = await openFolder(temp.path).files.find(fingerprint, "x")
    expect(found?.tokens[0]).toBe(2)
    expect(await files.find(fingerprint, "y")).toBeUndefined()
    expect(await files.find("e".repeat(64), "x")).toBeUndefined()
  })

  test("counts for the limit, and makes way only for another with a name", async () => {
    using temp = tempFolder()
    const { files, warnings } = openFolder(temp.path, 14_000)
    await files.write(prompt(1))
    await files.writeNamed({ ...prompt(2), name: "x" })
    await files.writeNamed({ ...prompt(3), name: "y" })
    expect(firstTokens(await files.list())).toEqual([2, 3])
    // There is no space left beside those with names.
    expect(await files.write(prompt(4))).toBe(false)
    expect(firstTokens(await files.list())).toEqual([2, 3])
    expect(warnings).toEqual([])
    await files.writeNamed({ ...prompt(5), name: "z" })
    const names = (await files.list()).map(({ name = "" }) => name).sort()
    expect(names).toEqual([expect.stringMatching(/^[xy]$/), "z"])
    expect(warnings).toEqual([expect.stringMatching(/^deleted the prompt saved as '[xy]'/)])
  })
})
