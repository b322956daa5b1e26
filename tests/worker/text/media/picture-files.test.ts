import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { MediaPart } from "../../../../src/domain/chat"
import { type Pixels, ProcessMediaReader } from "../../../../src/worker/text/media/media-reader"
import { tempFolder } from "../../../support/temp-folder"
import { pictureFiles } from "../../../support/vision/picture-files"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const folder = tempFolder()
const program = join(import.meta.dir, "../../../../src/index.ts")
const reader = new ProcessMediaReader([process.execPath, program, "worker", "picture"], 16_000)
afterAll(() => {
  reader.close()
  folder[Symbol.dispose]()
})

const files = await pictureFiles()
const readable = files.flatMap(({ name, bytes, seen }) =>
  seen === undefined ? [] : [[name, bytes, seen] as const],
)
const refused = files.filter(({ seen }) => seen === undefined)

function partOf(bytes: Uint8Array): MediaPart {
  const path = join(folder.path, "picture")
  writeFileSync(path, bytes)
  return { type: "image", path }
}

/** The colour at a share of the longer side, in the middle of the other. */
function colourAt({ width, height, rgb }: Pixels, share: number): number[] {
  const along = (size: number, part: number) => Math.min(size - 1, Math.floor(size * part))
  const [x, y] = width >= height ? [share, 0.5] : [0.5, share]
  const at = 3 * (along(height, y) * width + along(width, x))
  return [...rgb.subarray(at, at + 3)]
}

/** Lossy formats change colours a little. */
function distance(a: readonly number[], b: readonly number[]): number {
  return Math.max(...b.map((value, index) => Math.abs(value - (a[index] ?? Number.NaN))))
}

describe("pictures in every form", () => {
  test.each(readable)("%s is seen upright, on white", async (_, bytes, { width, height, first, last }) => {
    const measured = await reader.measure(partOf(bytes))
    expect(measured).toMatchObject({ width, height })
    const pixels = await reader.pixels(measured)
    expect(pixels).toMatchObject({ width, height })
    expect(pixels.rgb.length).toBe(3 * width * height)
    expect(distance(colourAt(pixels, 0.25), first)).toBeLessThan(40)
    expect(distance(colourAt(pixels, 0.75), last)).toBeLessThan(40)
  })
})

describe("files that are no pictures", () => {
  test.each(refused.map(({ name, bytes, format }) => [name, bytes, format] as const))(
    "%s is refused, and the next one is read",
    async (_, bytes, format) => {
      const read = async () => await reader.pixels(await reader.measure(partOf(bytes)))
      await expect(read()).rejects.toThrow(format ?? "the image")
    },
  )

  test("cost their own requests only", async () => {
    const [, bytes = new Uint8Array()] = readable[0] ?? []
    expect(await reader.measure(partOf(bytes))).toMatchObject({ width: 64, height: 32 })
  })
})
