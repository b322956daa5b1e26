import { describe, expect, test } from "bun:test"
import { IMAGES } from "../../../../src/limits"
import { pictureFiles } from "../../../support/vision/picture-files"

const files = await pictureFiles()

/** As pictures of requests are read, without the process around it. */
async function decoded(bytes: Uint8Array) {
  const image = () => new Bun.Image(bytes, { maxPixels: IMAGES.sourcePixels })
  if (bytes.length === 0) throw new Error("empty")
  await image().png().bytes()
  return await image().metadata()
}

describe("the decoders that read pictures", () => {
  test.each(files.filter(({ seen }) => seen !== undefined).map((file) => [file.name, file] as const))(
    "turn %s the right way up",
    async (_, { bytes, seen }) => {
      expect(await decoded(bytes)).toMatchObject({ width: seen!.width, height: seen!.height })
    },
  )

  test.each(files.filter(({ seen }) => seen === undefined).map((file) => [file.name, file] as const))(
    "refuse %s",
    (_, { bytes }) => {
      expect(decoded(bytes)).rejects.toThrow()
    },
  )
})
