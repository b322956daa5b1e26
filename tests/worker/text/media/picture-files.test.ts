import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { MediaPart } from "../../../../src/domain/chat"
import { PictureProcess } from "../../../../src/worker/text/media/picture-process"
import { ProcessMediaReader } from "../../../../src/worker/text/media/media-reader"
import { failure } from "../../../support/failure"
import { encodeWav } from "../../../support/files/recordings"
import { tempFolder } from "../../../support/temp-folder"
import { pictureFiles } from "../../../support/vision/picture-files"
import { plainPicture, tiledPicture } from "../../../support/vision/pictures"
import { pngWithoutPixels } from "../../../support/vision/png-writer"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const files = await pictureFiles()
const folder = tempFolder()
const COMMAND = [process.execPath, join(import.meta.dir, "../../../../src/index.ts"), "worker", "picture"]
const reader = new ProcessMediaReader(COMMAND, 16_000)
afterAll(() => {
  reader.close()
  folder[Symbol.dispose]()
})

let count = 0
function partOf(bytes: Uint8Array, rest: Partial<MediaPart> = {}): MediaPart {
  const path = join(folder.path, String(count++))
  writeFileSync(path, bytes)
  return { type: "image", path, ...rest }
}

describe("the process that reads pictures", () => {
  test.each(files.filter(({ seen }) => seen !== undefined).map((file) => [file.name, file] as const))(
    "sees %s as people do",
    async (name, { bytes, seen }) => {
      const media = await reader.measure(partOf(bytes))
      const { width, height, rgb } = await reader.pixels(media)
      expect({ width, height }).toEqual({ width: seen!.width, height: seen!.height })
      expect(media).toMatchObject({ width, height })
      expect(rgb.length).toBe(width * height * 3)
      const [right, down] = width >= height ? [width, 0] : [0, height]
      const colourAt = (share: number) => {
        const x = right === 0 ? width >> 1 : Math.floor(right * share)
        const y = down === 0 ? height >> 1 : Math.floor(down * share)
        return [...rgb.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)]
      }
      // Lossy formats are a little off; what is missing is anything.
      const tolerance = name.startsWith("half") ? 129 : 16
      const distance = (a: readonly number[], b: readonly number[]) =>
        Math.max(...a.map((value, channel) => Math.abs(value - (b[channel] ?? 0))))
      expect(distance(colourAt(1 / 4), seen!.first)).toBeLessThan(tolerance)
      expect(distance(colourAt(3 / 4), seen!.last)).toBeLessThan(tolerance)
    },
  )

  test.each(files.filter(({ seen }) => seen === undefined).map((file) => [file.name, file] as const))(
    "refuses %s, and goes on",
    async (_, { bytes, format }) => {
      const error = await failure(reader.measure(partOf(bytes)).then((media) => reader.pixels(media)))
      expect(error).toMatchObject({ status: 400, code: "invalid_request_error" })
      expect(String(error)).toContain("the image cannot be read: it")
      if (format !== undefined) expect(String(error).toLowerCase()).toContain(format.toLowerCase())
      expect(await reader.measure(partOf(plainPicture(3, 2, [1, 2, 3])))).toMatchObject({
        width: 3,
        height: 2,
      })
    },
  )

  test("says how many pixels are accepted, where only the decoder sees that there are more", async () => {
    const large = partOf(pngWithoutPixels(60_000, 60_000))
    expect(String(await failure(reader.measure(large)))).toContain(
      "the image cannot be read: it has too many pixels; at most 64 megapixels are accepted",
    )
  })

  test("gives equal files equal digests, and another to one that is looked at from afar", async () => {
    const bytes = tiledPicture(1000, 500)
    const [one, same, low, other] = await Promise.all([
      reader.measure(partOf(bytes)),
      reader.measure(partOf(bytes, { detail: "high" })),
      reader.measure(partOf(bytes, { detail: "low" })),
      reader.measure(partOf(tiledPicture(1000, 500, 2))),
    ])
    expect(one.digest).toEqual(same.digest)
    expect(one.digest).not.toEqual(low.digest)
    expect(one.digest).not.toEqual(other.digest)
    expect(low).toMatchObject({ width: 512, height: 256 })
    expect((await reader.pixels(low)).rgb.length).toBe(512 * 256 * 3)
  })

  test("makes a picture smaller that has more pixels than any model uses", async () => {
    const large = new Bun.Image(plainPicture(2, 1, [10, 20, 30])).resize(6000, 3000, { fit: "fill" })
    const media = await reader.measure(partOf(await large.jpeg().bytes()))
    expect(media).toMatchObject({ width: 5793, height: 2896 })
  })

  test("says that a file is gone", async () => {
    const error = await failure(reader.measure({ type: "image", path: join(folder.path, "none") }))
    expect(error).toMatchObject({
      status: 400,
      message: expect.stringContaining("the image cannot be read: "),
    })
  })

  test("hears a sound at the model's rate", async () => {
    const tone = (rate: number) =>
      Float32Array.from({ length: rate }, (_, index) => 0.5 * Math.sin((2 * Math.PI * 440 * index) / rate))
    const wav = (rate: number) => partOf(encodeWav(tone(rate), { sampleRate: rate }), { type: "audio" })
    for (const rate of [16_000, 44_100, 8000]) {
      const media = await reader.measure(wav(rate))
      const samples = await reader.samples(media)
      expect(media.samples).toBe(samples.length)
      expect(Math.abs(samples.length - 16_000)).toBeLessThan(3)
      const expected = tone(16_000)
      // At both ends there is less to interpolate from.
      for (let at = 500; at < 15_500; at++)
        expect(Math.abs((samples[at] ?? 0) - (expected[at] ?? 0))).toBeLessThan(0.002)
    }
  })

  test("says what is no sound", async () => {
    const error = await failure(reader.measure(partOf(plainPicture(3, 2, [1, 2, 3]), { type: "audio" })))
    expect(error).toMatchObject({
      status: 400,
      message: expect.stringContaining("the sound cannot be read: "),
    })
  })
})

describe("a process that", () => {
  const script = (text: string) => [process.execPath, "-e", text]
  const job = { do: "measure-picture", path: "x" } as const

  test("ends takes only the file with it that it was reading", async () => {
    // Ends at the second line, and answers the first of each process.
    const dying = new PictureProcess(
      script(`let n = 0
        for await (const line of require("readline").createInterface({ input: process.stdin })) {
          if (line.includes("bad")) process.exit(1)
          console.log(JSON.stringify({ width: ++n, height: 1, samples: 0, digest: "", bytes: 0 }))
        }`),
    )
    const [first, bad, second, third] = await Promise.allSettled([
      dying.run(job),
      dying.run({ ...job, path: "bad" }),
      dying.run(job),
      dying.run(job),
    ])
    dying.close()
    expect(first).toMatchObject({ status: "fulfilled", value: { width: 1 } })
    expect(bad).toMatchObject({ status: "rejected", reason: { message: "it brought its decoder down" } })
    expect(second).toMatchObject({ status: "fulfilled", value: { width: 1 } })
    expect(third).toMatchObject({ status: "fulfilled", value: { width: 2 } })
  })

  test("does not come to an end is ended", async () => {
    const stuck = new PictureProcess(script("setInterval(() => {}, 1000)"), 50)
    await expect(stuck.run(job)).rejects.toThrow("it takes longer than 0.05 s")
    stuck.close()
  })
})
