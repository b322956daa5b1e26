import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import type { ImageFormat } from "../../../src/domain/media/image"
import { encodeImage, readSource, sizeOfPng, sizeOfSource } from "../../../src/worker/diffusion/image-codec"
import { bmp } from "../../support/files/bitmap"
import { tempFolder } from "../../support/temp-folder"

async function png(width: number, height: number): Promise<Uint8Array> {
  return await new Bun.Image(bmp(width, height, (x, y) => [x * 3, y * 5, (x ^ y) & 255])).png().bytes()
}

describe("a picture", () => {
  test("knows its size", async () => {
    expect(sizeOfPng(await png(48, 20))).toEqual({ width: 48, height: 20 })
  })

  test.each(["png", "jpeg", "webp"] as const satisfies readonly ImageFormat[])(
    "is encoded as %s",
    async (format) => {
      const encoded = await encodeImage(await png(48, 20), format, undefined)
      expect(await new Bun.Image(encoded).metadata()).toEqual({ format, width: 48, height: 20 })
    },
  )

  test.each(["jpeg", "webp"] as const)("is smaller as %s with more compression", async (format) => {
    const source = await png(64, 64)
    const [rough, fine] = await Promise.all([
      encodeImage(source, format, 0),
      encodeImage(source, format, 100),
    ])
    expect(rough.length).toBeLessThan(fine.length / 2)
  })
})

describe("a picture that is sent in", () => {
  test.each(["png", "jpeg", "webp"] as const)(
    "may be %s, and comes in the size that is wanted",
    async (format) => {
      using folder = tempFolder()
      const path = join(folder.path, "upload")
      await Bun.write(path, await encodeImage(await png(30, 50), format, undefined))
      expect(await sizeOfSource(path)).toEqual({ width: 30, height: 50 })
      expect(sizeOfPng(await readSource(path, { width: 64, height: 128 }))).toEqual({
        width: 64,
        height: 128,
      })
    },
  )

  test.each([
    ["a text", async () => Buffer.from("no picture at all")],
    ["nothing", async () => new Uint8Array()],
    ["half of one", async () => (await png(64, 64)).slice(0, 60)],
  ])("is refused where it is %s", async (_, content) => {
    using folder = tempFolder()
    const path = join(folder.path, "upload")
    await Bun.write(path, await content())
    const reading = sizeOfSource(path).then((size) => readSource(path, size))
    expect(reading).rejects.toMatchObject({ status: 400, param: "image" })
  })
})
