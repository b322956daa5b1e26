import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { AttachedPart } from "../../../src/domain/attached-parts"
import type { ImageRequest } from "../../../src/domain/media/image"
import { IMAGES } from "../../../src/limits"
import { adapterPart } from "../../support/files/tiny-adapter"
import { bmp } from "../../support/files/bitmap"
import { writeSafetensors } from "../../support/files/safetensors-writer"
import { writeTinyImageModel, writeTinyImageModelLora } from "../../support/files/tiny-image-model"
import { type Drawing, RealImageModel } from "../../support/real/real-image-model"
import { tempFolder } from "../../support/temp-folder"
import { until } from "../../support/until"

// A step takes a second, and many where others keep the cores busy: pictures give way.
setDefaultTimeout(600_000)

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())
const checkpoint = join(folder.path, "painter")

/** Enough steps to be in the middle of. */
const LONG: Partial<ImageRequest> = { steps: IMAGES.steps.max }

beforeAll(() => writeTinyImageModel(checkpoint))

describe("an image model", () => {
  let painter: RealImageModel
  /** Of the seeds 1 and 2. */
  let first: Drawing
  beforeAll(async () => {
    painter = await RealImageModel.start(checkpoint)
  })
  afterAll(() => painter[Symbol.asyncDispose]())

  test("tells what it is and what it takes, both processes together", () => {
    const { size } = Bun.file(checkpoint)
    expect(painter.info).toMatchObject({
      kind: "image",
      family: "sd1",
      slots: 1,
      threads: 1,
      devices: ["CPU"],
      modelBytes: size,
    })
    expect(painter.info.footprint.ramBytes).toBeGreaterThan(size)
    expect(painter.info.footprint.devices).toEqual([])
  })

  test("tells how far the load is", () => {
    const progress = painter.lines.filter((line) => line.type === "progress")
    expect(progress.at(-1)?.fraction).toBe(1)
  })

  test("makes pictures one after another, with seeds that count up, and tells every step", async () => {
    first = await painter.draw({ n: 2, steps: 2, seed: 1 })
    expect(first.events.map(({ type }) => type)).toEqual([
      "step",
      "step",
      "image",
      "step",
      "step",
      "image",
      "done",
    ])
    expect(first.steps).toMatchObject([
      { image: 0, step: 1, steps: 2 },
      { image: 0, step: 2, steps: 2 },
      { image: 1, step: 1, steps: 2 },
      { image: 1, step: 2, steps: 2 },
    ])
    expect(first.images).toMatchObject([
      { image: 0, seed: 1, width: 64, height: 64 },
      { image: 1, seed: 2, width: 64, height: 64 },
    ])
    expect(first.done).toMatchObject({ usage: { images: 2, steps: 4 }, timings: { loadMs: 2 } })
    for (const { bytes } of first.images)
      expect(await new Bun.Image(bytes).metadata()).toEqual({ format: "png", width: 64, height: 64 })
    expect(first.images[0]?.bytes).not.toEqual(first.images[1]?.bytes)
  })

  test("gives up a picture at its next step, and makes the same picture of a seed again", async () => {
    const given = painter.submit(LONG)
    await given.step()
    painter.cancel(given)
    const again = await painter.draw({ steps: 2, seed: 2 })
    expect(again.image.bytes).toEqual(first.images[1]?.bytes ?? new Uint8Array())
    // Were it not given up, it would have been told of more.
    expect(given.steps.length).toBeLessThan(10)
    expect(given.images).toEqual([])
    // It is no failure: a client that disconnects leaves no warning in the log.
    expect(painter.lines.filter((line) => line.type === "log" && line.level === "error")).toEqual([])
  })

  test("starts from a picture, and gives another format", async () => {
    const draw = async (colour: readonly [number, number, number]): Promise<Drawing> => {
      const imagePath = join(folder.path, `${colour[0]}.bmp`)
      await Bun.write(
        imagePath,
        bmp(70, 60, () => colour),
      )
      return await painter.draw({ steps: 4, format: "webp", source: { imagePath, strength: 0.3 } })
    }
    const dark = await draw([10, 20, 200])
    const bright = await draw([250, 240, 30])
    // 3 tenths of 4 steps, and the one that everything ends with.
    expect(dark.steps.map(({ steps }) => steps)).toEqual([2, 2])
    expect(dark.image).toMatchObject({ width: 64, height: 64 })
    expect(await new Bun.Image(dark.image.bytes).metadata()).toMatchObject({ format: "webp" })
    expect(dark.image.bytes).not.toEqual(bright.image.bytes)
  })

  test("refuses what cannot be done, and goes on", async () => {
    const missing = join(folder.path, "no-such-file")
    const refused: readonly [Partial<ImageRequest>, object][] = [
      [{ sampler: "magic" }, { status: 400, param: "sampler" }],
      [{ width: 65 }, { status: 400, param: "size" }],
      [{ source: { imagePath: missing, strength: 0.5 } }, { status: 400, param: "image" }],
      [{ source: { imagePath: checkpoint, strength: 0.5 } }, { status: 400, param: "image" }],
    ]
    for (const [request, error] of refused) {
      const drawing = painter.submit(request)
      await drawing.over
      expect(drawing.error).toMatchObject(error)
    }
  })

  test("ends with the process that draws, and says how that ended", async () => {
    const drawing = painter.submit(LONG)
    await drawing.step()
    process.kill(sidecarOf(painter), "SIGKILL")
    expect(await painter.ended).toContain("the image engine was killed (SIGKILL)")
  })
})

describe("a worker that is killed", () => {
  test("leaves no process behind that draws", async () => {
    const painter = await RealImageModel.start(checkpoint)
    const sidecar = sidecarOf(painter)
    const drawing = painter.submit(LONG)
    await drawing.step()
    expect(commandOf(sidecar)).toContain("sidecar.cjs")
    process.kill(painter.pid, "SIGKILL")
    await until(() => !commandOf(sidecar).includes("sidecar.cjs"))
    await painter[Symbol.asyncDispose]()
  })
})

describe("a LoRA in the model's folder", () => {
  test("changes the pictures", async () => {
    using own = tempFolder()
    writeTinyImageModel(join(own.path, "a"))
    writeTinyImageModelLora(join(own.path, "b"))
    await using plain = await RealImageModel.start(checkpoint)
    await using adapted = await RealImageModel.start(own.path)
    const before = await plain.draw()
    const after = await adapted.draw()
    expect(after.image.bytes).not.toEqual(before.image.bytes)
    expect(after.steps).toHaveLength(1)
  })

  test("is refused beside another, and where only a part of it is wanted", async () => {
    const path = join(folder.path, "lora")
    writeTinyImageModelLora(path)
    const adapter = adapterPart(path)
    const start = (parts: readonly AttachedPart[]) => RealImageModel.start(checkpoint, { parts })
    expect(start([adapter, adapter])).rejects.toMatchObject({ code: "unsupported" })
    expect(start([{ ...adapter, scale: 0.5 }])).rejects.toMatchObject({ code: "unsupported" })
  })
})

describe("a model that cannot be loaded", () => {
  test("is told of with the engine's words", async () => {
    const path = join(folder.path, "hollow")
    writeSafetensors(path, [
      { name: "model.diffusion_model.input_blocks.0.0.weight", shape: [320, 4, 3, 3] },
      {
        name: "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
        shape: [320, 768],
      },
      { name: "model.diffusion_model.middle_block.1.norm.weight", shape: [1280] },
      { name: "first_stage_model.decoder.conv_in.weight", shape: [512, 4, 3, 3] },
      {
        name: "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight",
        shape: [49408, 768],
      },
    ])
    expect(RealImageModel.start(path)).rejects.toThrow(/model 'm' could not be loaded: .*tensor '/)
  })

  test("is refused before anything is started where it is cut short", async () => {
    const path = join(folder.path, "short")
    await Bun.write(path, await Bun.file(checkpoint).slice(0, 1_000_000).bytes())
    expect(RealImageModel.start(path)).rejects.toThrow("the file is cut short")
  })

  test("is refused where it is something else", async () => {
    const path = join(folder.path, "text")
    await Bun.write(path, "hello")
    expect(RealImageModel.start(path)).rejects.toThrow("not an image model")
  })
})

/** The child of a worker, as /proc has it. */
function sidecarOf(painter: RealImageModel): number {
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const status = read(`/proc/${entry}/status`)
    if (/^PPid:\s*(\d+)/m.exec(status)?.[1] === String(painter.pid)) return Number(entry)
  }
  throw new Error("the worker has no child")
}

/** Empty where the process is gone, or only its exit status is left. */
function commandOf(pid: number): string {
  return read(`/proc/${pid}/cmdline`)
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1")
  } catch {
    return ""
  }
}
