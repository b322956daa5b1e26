import { describe, expect, test } from "bun:test"
import { existsSync, mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { ImageFiles, type ImageLimits } from "../../../src/http/image-files/image-files"
import { failure } from "../../support/failure"
import { canMount, mountSmallDisk } from "../../support/small-disk"
import { tempFolder } from "../../support/temp-folder"

const HOUR_MS = 3600_000
const AN_HOUR: ImageLimits = { ttlSeconds: 3600, maxBytes: null }

/** Image files of a folder, with a clock that stands still until it is moved. */
function filesOf(folder: string, limits: ImageLimits = AN_HOUR) {
  let movedMs = 0
  const files = new ImageFiles({ folder, limits: () => limits, now: () => Date.now() + movedMs })
  return { files, pass: (ms: number) => void (movedMs += ms) }
}

const bytes = (length: number) => new Uint8Array(length).fill(7)

describe("an image", () => {
  test("is there under a name that nobody can guess, and nothing beside it", async () => {
    using folder = tempFolder()
    const { files } = filesOf(folder.path)
    const names = await Promise.all([1, 2, 3].map(() => files.add(bytes(10), "png")))
    expect(new Set(names).size).toBe(3)
    for (const name of names) expect(name).toMatch(/^[\w-]{32}\.png$/)
    expect(readdirSync(folder.path).sort()).toEqual(names.sort())
    const image = await files.read(names[0] ?? "")
    expect(image?.bytes).toEqual(bytes(10))
    expect(image?.mime).toBe("image/png")
  })

  test.each([
    ["jpeg", "image/jpeg"],
    ["webp", "image/webp"],
  ] as const)("of the format %s is called so", async (format, mime) => {
    using folder = tempFolder()
    const { files } = filesOf(folder.path)
    expect((await files.read(await files.add(bytes(1), format)))?.mime).toBe(mime)
  })

  test("tells how long it stays", async () => {
    using folder = tempFolder()
    const { files, pass } = filesOf(folder.path)
    const name = await files.add(bytes(1), "png")
    pass(HOUR_MS / 2)
    const left = (await files.read(name))?.secondsLeft ?? 0
    expect(left).toBeGreaterThan(1790)
    expect(left).toBeLessThanOrEqual(1800)
  })

  test("is gone when its time is over, also before anything has deleted it", async () => {
    using folder = tempFolder()
    const { files, pass } = filesOf(folder.path)
    const name = await files.add(bytes(1), "png")
    pass(HOUR_MS)
    expect(existsSync(join(folder.path, name))).toBe(true)
    expect(await files.read(name)).toBeUndefined()
    await files.sweep()
    expect(readdirSync(folder.path)).toEqual([])
  })

  test("stays where there is no such time", async () => {
    using folder = tempFolder()
    const { files, pass } = filesOf(folder.path, { ttlSeconds: null, maxBytes: null })
    const name = await files.add(bytes(1), "png")
    pass(HOUR_MS * 24 * 365)
    await files.sweep()
    expect((await files.read(name))?.secondsLeft).toBeNull()
  })

  test("is as old as its file for a server that starts later", async () => {
    using folder = tempFolder()
    const earlier = filesOf(folder.path)
    const [old = "", young = ""] = [
      await earlier.files.add(bytes(1), "png"),
      await earlier.files.add(bytes(1), "png"),
    ]
    const hourAgo = (Date.now() - HOUR_MS) / 1000
    utimesSync(join(folder.path, old), hourAgo, hourAgo)
    const later = filesOf(folder.path)
    await later.files.start()
    later.files.close()
    expect(readdirSync(folder.path)).toEqual([young])
  })
})

describe("room for images", () => {
  test("is made by the oldest", async () => {
    using folder = tempFolder()
    const { files } = filesOf(folder.path, { ttlSeconds: null, maxBytes: 25 })
    const names: string[] = []
    for (const age of [40, 30, 20]) {
      const name = await files.add(bytes(10), "png")
      names.push(name)
      const then = Date.now() / 1000 - age
      utimesSync(join(folder.path, name), then, then)
    }
    await files.sweep()
    expect(await files.read(names[0] ?? "")).toBeUndefined()
    expect(readdirSync(folder.path).sort()).toEqual(names.slice(1).sort())
  })

  test("is never made by the one that was just drawn", async () => {
    using folder = tempFolder()
    const { files } = filesOf(folder.path, { ttlSeconds: null, maxBytes: 5 })
    const first = await files.add(bytes(10), "png")
    const second = await files.add(bytes(10), "png")
    expect(await files.read(first)).toBeUndefined()
    expect(await files.read(second)).toBeDefined()
  })
})

describe("nothing else of the folder", () => {
  const OURS = `xllm-${"a".repeat(27)}.png`

  test.each([
    "other.png",
    "notes.txt",
    `xllm-${"a".repeat(26)}.png`,
    `${"a".repeat(32)}.png`,
    `${OURS}.txt`,
    `.${OURS}`,
  ])("is read or deleted: %s", async (name) => {
    using folder = tempFolder()
    writeFileSync(join(folder.path, name), "mine")
    const { files, pass } = filesOf(folder.path, { ttlSeconds: 1, maxBytes: 1 })
    expect(await files.read(name)).toBeUndefined()
    pass(HOUR_MS)
    await files.sweep()
    expect(readdirSync(folder.path)).toEqual([name])
  })

  test("is read through a link, or where a folder has such a name", async () => {
    using folder = tempFolder()
    writeFileSync(join(folder.path, "secret"), "secret")
    symlinkSync(join(folder.path, "secret"), join(folder.path, OURS))
    mkdirSync(join(folder.path, OURS.replace("png", "webp")))
    const { files } = filesOf(folder.path)
    expect(await files.read(OURS)).toBeUndefined()
    expect(await files.read(OURS.replace("png", "webp"))).toBeUndefined()
  })

  test("is reached by a path", async () => {
    using folder = tempFolder()
    mkdirSync(join(folder.path, "images"))
    writeFileSync(join(folder.path, OURS), "outside")
    const { files } = filesOf(join(folder.path, "images"))
    for (const name of [`../${OURS}`, join(folder.path, OURS), `${OURS}/`, `./${OURS}`, "", "."]) {
      expect(await files.read(name)).toBeUndefined()
    }
  })
})

describe("a file that a crash has left unfinished", () => {
  test("is deleted once it is old, and is no image", async () => {
    using folder = tempFolder()
    const unfinished = `xllm-${"a".repeat(27)}.png.part`
    writeFileSync(join(folder.path, unfinished), "half")
    const { files, pass } = filesOf(folder.path)
    await files.sweep()
    expect(readdirSync(folder.path)).toEqual([unfinished])
    expect(await files.read(unfinished)).toBeUndefined()
    pass(HOUR_MS)
    await files.sweep()
    expect(readdirSync(folder.path)).toEqual([])
  })
})

test("pictures that somebody else keeps in the folder stay, whatever they are called", async () => {
  using folder = tempFolder()
  // As sums and screenshots are called.
  const others = [`${"0123456789abcdef".repeat(2)}.png`, "Screenshot_20260101-120000_Gmail.png", "cat.png"]
  for (const name of others) writeFileSync(join(folder.path, name), "not ours")
  const { files, pass } = filesOf(folder.path, { ttlSeconds: 3600, maxBytes: 1 })
  await files.add(bytes(10), "png")
  pass(HOUR_MS)
  await files.sweep()
  expect(readdirSync(folder.path).sort()).toEqual(others.sort())
  for (const name of others) expect(await files.read(name)).toBeUndefined()
})

test("an image that cannot be kept is told of in words, and without the folder", async () => {
  using folder = tempFolder()
  writeFileSync(join(folder.path, "file"), "")
  const error = await failure(filesOf(join(folder.path, "file", "images")).files.add(bytes(1), "png"))
  expect(error).toMatchObject({
    code: "storage_failed",
    status: 500,
    message: "the server cannot store the image: a part of the path is a file, not a folder",
  })
})

test.skipIf(!canMount)("an image for which the disk has no room leaves nothing behind", async () => {
  using folder = tempFolder()
  using _disk = mountSmallDisk(folder.path, 1)
  const error = await failure(filesOf(folder.path).files.add(bytes(2_000_000), "png"))
  expect(error).toMatchObject({
    code: "disk_full",
    status: 507,
    message: "the server cannot store the image: no space left on the disk",
  })
  expect(readdirSync(folder.path)).toEqual([])
})

test("a folder that is not there yet holds nothing", async () => {
  using folder = tempFolder()
  const { files } = filesOf(join(folder.path, "deep", "images"))
  await files.sweep()
  expect(await files.read(`xllm-${"a".repeat(27)}.png`)).toBeUndefined()
  expect(await files.add(bytes(1), "png")).toEndWith(".png")
})
