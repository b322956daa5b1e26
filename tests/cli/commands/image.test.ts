import { describe, expect, test } from "bun:test"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { command as image, freeName, isTakenFor } from "../../../src/cli/commands/media/image"
import { stepLine } from "../../../src/cli/terminal/progress-bar"
import { WorkerCrashed } from "../../../src/errors/engine"
import { pictures } from "../../support/fakes/fake-engine"
import { fakeIo, type FakeIoOptions } from "../../support/fakes/fake-io"
import { closeMediaServers, mediaServer } from "../../support/fakes/media-server"
import { tempFolder } from "../../support/temp-folder"

closeMediaServers()

/** Runs `image` against a server; stdout is a pipe unless the options say otherwise. */
async function drawAt(url: string, argv: readonly string[], options: FakeIoOptions = { input: "" }) {
  const io = fakeIo(options)
  await image.execute([...argv, "--host", url], io)
  return io
}

describe("image", () => {
  test("writes a file and tells its path", async () => {
    using folder = tempFolder()
    const { url } = await mediaServer()
    const file = join(folder.path, "cat.png")
    const io = await drawAt(url, ["brush", "a", "cat", "-o", file])
    expect([io.out, io.err]).toEqual([`${file}\n`, ""])
    expect([...readFileSync(file)]).toEqual([0])
    expect(readdirSync(folder.path)).toEqual(["cat.png"])
  })

  test("asks as the flags say", async () => {
    using folder = tempFolder()
    const { url, engine } = await mediaServer()
    const flags = [
      "--size",
      "512x768",
      "--steps",
      "9",
      "--seed",
      "4",
      "--negative",
      "dogs",
      "--cfg-scale",
      "5.5",
    ]
    const more = ["--sampler", "euler_a", "--scheduler", "karras", "--quality", "80"]
    await drawAt(url, ["brush", "a cat", "-o", join(folder.path, "cat.jpg"), ...flags, ...more])
    expect(engine.drawings[0]?.request).toMatchObject({
      prompt: "a cat",
      n: 1,
      width: 512,
      height: 768,
      steps: 9,
      seed: 4,
      negativePrompt: "dogs",
      cfgScale: 5.5,
      sampler: "euler_a",
      scheduler: "karras",
      format: "jpeg",
      compression: 80,
    })
  })

  test("numbers several pictures", async () => {
    using folder = tempFolder()
    const { url } = await mediaServer()
    await drawAt(url, ["brush", "a cat", "-n", "3", "-o", join(folder.path, "cat.webp")])
    expect(readdirSync(folder.path).sort()).toEqual(["cat-1.webp", "cat-2.webp", "cat-3.webp"])
  })

  test("writes to a pipe, and takes its prompt from one", async () => {
    const { url, engine } = await mediaServer()
    engine.imageScript = () => pictures({ n: 1, bytes: Uint8Array.of(5, 6) })
    const io = await drawAt(url, ["brush"], { input: "a cat\n" })
    expect([...io.bytes]).toEqual([5, 6])
    expect(io.out).toBe("")
    expect(engine.drawings[0]?.request).toMatchObject({ prompt: "a cat", format: "png" })
  })

  test("starts from a picture", async () => {
    using folder = tempFolder()
    const image = join(folder.path, "in.png")
    writeFileSync(image, "picture")
    const { url, engine } = await mediaServer()
    let seen = ""
    engine.imageScript = async function* ({ source }) {
      seen = await Bun.file(source?.imagePath ?? "").text()
      yield* pictures({ n: 1 })
    }
    await drawAt(url, ["brush", "a dog", "--image", image, "--strength", "0.4"])
    expect(seen).toBe("picture")
    expect(engine.drawings[0]?.request.source?.strength).toBe(0.4)
  })

  test("--json tells what was drawn", async () => {
    using folder = tempFolder()
    const { url } = await mediaServer()
    const io = await drawAt(url, ["brush", "a cat", "--json", "-o", join(folder.path, "cat.png")])
    expect(JSON.parse(io.out)).toEqual({
      model: "brush",
      images: [{ file: join(folder.path, "cat.png"), width: 64, height: 64, seed: 7 }],
      steps: 2,
      timings: { queue_ms: 3, load_ms: 4, work_ms: 500 },
    })
  })

  test("shows its steps on a terminal, and wipes them away", async () => {
    using folder = tempFolder()
    const { url } = await mediaServer()
    const io = await drawAt(url, ["brush", "a cat", "-o", join(folder.path, "cat.png")], { isTerminal: true })
    expect(io.err).toContain("step 1/2")
    expect(io.err).toContain("step 2/2")
    expect(io.err).toEndWith("\r\x1b[K")
  })

  test("leaves what was there where it fails", async () => {
    using folder = tempFolder()
    const { url, engine } = await mediaServer()
    engine.imageScript = async function* () {
      yield { type: "step", image: 0, step: 1, steps: 2 }
      throw new WorkerCrashed("brush", "was killed", [])
    }
    const file = join(folder.path, "cat.png")
    writeFileSync(file, "before")
    await expect(drawAt(url, ["brush", "a cat", "-o", file])).rejects.toThrow("was killed")
    expect(readFileSync(file, "utf8")).toBe("before")
    expect(readdirSync(folder.path)).toEqual(["cat.png"])
  })
})

describe("image refuses", () => {
  test.each([
    [["brush"], { input: "" }, "image needs a PROMPT"],
    [["brush"], { input: "a".repeat(32_001) }, "the prompt must have at most 32000 characters, got 32001"],
    [["brush", "a cat", "-o", "-"], { isTerminal: true }, "refusing to write an image to a terminal"],
    [["brush", "a cat", "-n", "2"], { input: "" }, "several images need files"],
    [["brush", "a cat", "-o", "cat.gif"], { input: "" }, "the name of cat.gif does not set the format"],
    [
      ["brush", "a cat", "--size", "512"],
      { input: "" },
      "--size must be WIDTHxHEIGHT, such as 512x512, got '512'",
    ],
    [
      ["brush", "a cat", "--size", "50x50"],
      { input: "" },
      "--size must be WIDTHxHEIGHT, both multiples of 8",
    ],
    [["brush", "a cat", "--steps", "0"], { input: "" }, "--steps must be a whole number from 1 to 150"],
    [["brush", "a cat", "--image", "m.png"], { input: "" }, "cannot read m.png: no such file or folder"],
    [["brash", "a cat"], { input: "" }, "model 'brash' not found; did you mean 'brush'?"],
  ])("%j", async (argv, options, message) => {
    const { url, engine } = await mediaServer()
    await expect(drawAt(url, argv, options)).rejects.toThrow(message)
    expect(engine.drawings).toEqual([])
  })
})

describe("a picture without a name is called after its prompt", () => {
  test.each([
    ["A cat, in the rain!", "a-cat-in-the-rain.png"],
    ["../../etc/passwd", "etc-passwd.png"],
    ["…", "image.png"],
    ["猫と犬", "猫と犬.png"],
    ["word ".repeat(20), `${"word-".repeat(8).slice(0, -1)}.png`],
  ])("%j", (prompt, name) => {
    expect(freeName(prompt, "png", () => false)).toBe(name)
  })

  test("and numbered where there is such a file", () => {
    const taken = ["a-cat.webp", "a-cat-2.webp"]
    expect(freeName("a cat", "webp", (name) => taken.includes(name))).toBe("a-cat-3.webp")
  })

  test("replaces none of several pictures that were drawn before", () => {
    const drawn = new Set(["a-cat-1.png", "a-cat-2.png", "a-cat-2-2.png"])
    const nameFor = (count: number) =>
      freeName(
        "a cat",
        "png",
        isTakenFor(count, (name) => drawn.has(name)),
      )
    expect(nameFor(1)).toBe("a-cat.png")
    expect(nameFor(3)).toBe("a-cat-3.png")
  })
})

describe("a step's line", () => {
  test.each([
    [{ item: 1, items: 1, step: 0, steps: 20 }, undefined, `[${"-".repeat(30)}] step 0/20`],
    [
      { item: 1, items: 1, step: 5, steps: 10 },
      1234,
      `[${"#".repeat(15)}${"-".repeat(15)}] step 5/10, 1.2 s each`,
    ],
    [{ item: 2, items: 3, step: 4, steps: 4 }, 90, `2/3 [${"#".repeat(30)}] step 4/4, 0.1 s each`],
  ])("%j is %p %p", (steps, ms, line) => {
    expect(stepLine(steps, ms)).toBe(line)
  })
})
