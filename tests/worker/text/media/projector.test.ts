import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { closeSync, openSync } from "node:fs"
import { join } from "node:path"
import { XllmError } from "../../../../src/errors/base"
import { Batch } from "../../../../src/llama/batch"
import { Context } from "../../../../src/llama/context"
import { Library } from "../../../../src/llama/library"
import { Model } from "../../../../src/llama/model"
import { locateLlama } from "../../../../src/native/llama-files"
import { loadProjector } from "../../../../src/worker/text/media/load-projector"
import type { MeasuredMedia } from "../../../../src/worker/text/media/media-reader"
import type { EncodedUnit, Projector } from "../../../../src/worker/text/media/projector"
import { layOutCells, positionOf, type PromptUnit } from "../../../../src/worker/text/prompt/cells"
import { hasRealModel, REAL_MODEL_PATH } from "../../../support/real/real-model"
import { EXACT_SETTINGS } from "../../../support/real/real-worker"
import { tempFolder } from "../../../support/temp-folder"
import { BROKEN_PROJECTORS } from "../../../support/vision/broken-projectors"
import { decodedMedia } from "../../../support/vision/decoded"
import { writeEye } from "../../../support/vision/eye"
import { RECORDED_CASES, type RecordedCase, type Recording } from "../../../support/vision/recorded-cases"
import recordings from "../../../support/vision/recordings.json"
import { writeTinyVision } from "../../../support/vision/tiny-vision"

setDefaultTimeout(60_000)

const files = await locateLlama("/nonexistent")
if (files.mtmd === undefined) console.warn("skipped: libmtmd was not compiled; run 'bun scripts/mtmd.ts'")
const folder = tempFolder()
const devNull = openSync("/dev/null", "w")
const library = Library.open(files, { useGpu: false, logDescriptor: devNull, logLevel: 4 })
afterAll(() => {
  folder[Symbol.dispose]()
  closeSync(devNull)
})

const recorded: Readonly<Record<string, Recording>> = recordings as never // what scripts/record-vision.ts writes
const PICTURE = { type: "tiles", width: 96, height: 64, seed: 1 } as const
const LARGE: Pick<RecordedCase, "prompt" | "media"> = {
  prompt: "what is this? <media> It is",
  media: [{ type: "tiles", width: 640, height: 480, seed: 4 }],
}
const PICTURE_OF_NOTHING: MeasuredMedia = {
  part: { type: "image", path: "" },
  digest: new Uint8Array(32),
  width: 0,
  height: 0,
}

const SHAPES = [
  [1, 1],
  [3, 2],
  [1, 16_384],
  [16_384, 1],
  [5000, 3],
  [2, 4999],
  [700, 600],
] as const

const NO_ABORT = new AbortController().signal

/** A text model with its projector, and a context with room for all of a micro-batch. */
class Scene implements Disposable {
  readonly model: Model
  readonly projector: Projector
  readonly context: Context

  constructor(modelPath: string, projectorPath: string, microBatchTokens = 512) {
    const model = Model.load(library, modelPath, EXACT_SETTINGS)
    if (model === undefined) throw new Error(`llama.cpp refused ${modelPath}`)
    const part = {
      role: "projector",
      name: "mmproj.gguf",
      path: projectorPath,
      sizeBytes: Bun.file(projectorPath).size,
    } as const
    const loaded = loadProjector({
      files,
      library,
      model,
      name: "tiny",
      parts: [part],
      gpus: [],
      threads: 1,
      flashAttention: "off",
      warn: () => {},
    })
    const context = Context.create(model, {
      ...EXACT_SETTINGS,
      cells: 4096,
      layout: "unified",
      sequences: 2,
      batchTokens: 2048,
      microBatchTokens,
      outputs: 8,
      decodeThreads: 1,
      prefillThreads: 1,
    })
    if (loaded === undefined || context === undefined) throw new Error("something was not loaded")
    this.model = model
    this.projector = loaded.projector
    this.context = context
  }

  /** Text as llama-server tokenizes it, with what stands for the media between. */
  async read({ prompt, media }: Pick<RecordedCase, "prompt" | "media">): Promise<{
    readonly units: readonly PromptUnit[]
    readonly encoded: readonly EncodedUnit[]
  }> {
    const units: PromptUnit[] = []
    const encoded: EncodedUnit[] = []
    for (const [index, text] of prompt.split("<media>").entries()) {
      const tokens = this.model.vocabulary.tokenize(text, { addSpecial: index === 0, parseSpecial: true })
      if (tokens.length > 0) units.push(tokens)
      const shown = media[index]
      if (shown === undefined) continue
      const content = decodedMedia(shown)
      const measured = measure(content, index)
      units.push(...this.projector.plan(measured))
      encoded.push(...(await this.projector.encode(measured, content, NO_ABORT)))
    }
    return { units, encoded }
  }

  /** Log probabilities of the token after the prompt. `slice`: the most embeddings of one step. */
  decode(
    units: readonly PromptUnit[],
    encoded: readonly EncodedUnit[],
    slice = 512,
    sequence = 0,
  ): Float64Array {
    const { media } = layOutCells(units)
    const left = [...encoded]
    let cell = 0
    let logits: Float32Array = new Float32Array()
    this.context.clear(sequence)
    for (const unit of units) {
      const start = positionOf(media, cell)
      if (unit instanceof Int32Array) {
        const batch = new Batch(unit.length, 2)
        unit.forEach((token, index) => batch.add(token, start + index, sequence, index === unit.length - 1))
        expect(this.context.decode(batch)).toBe("done")
        logits = this.context.logits(unit.length - 1)
        cell += unit.length
        continue
      }
      const next = left.shift()
      if (next === undefined) throw new Error("a unit was not encoded")
      expect(next.digest).toEqual(unit.digest)
      const { embeddings } = next
      const most = this.projector.isWhole ? unit.cells : slice
      for (let first = 0; first < unit.cells; first += most) {
        const count = Math.min(most, unit.cells - first)
        const positions = next.positions(start)
        const { isWhole } = this.projector
        const result = this.context.decodeEmbeddings({
          embeddings,
          positions,
          first,
          count,
          sequence,
          isWhole,
          output: true,
        })
        expect(result).toBe("done")
        logits = this.context.logits(count - 1)
      }
      cell += unit.cells
    }
    return logProbabilities(logits)
  }

  [Symbol.dispose](): void {
    this.context[Symbol.dispose]()
    this.projector.close()
    this.model[Symbol.dispose]()
  }
}

function measure(content: ReturnType<typeof decodedMedia>, index: number): MeasuredMedia {
  const digest = new Uint8Array(32).fill(index)
  return content instanceof Float32Array
    ? { part: { type: "audio", path: "" }, digest, width: 0, height: 0, samples: content.length }
    : { part: { type: "image", path: "" }, digest, width: content.width, height: content.height }
}

function logProbabilities(logits: Float32Array): Float64Array {
  const largest = logits.reduce((most, logit) => Math.max(most, logit), Number.NEGATIVE_INFINITY)
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0)
  return Float64Array.from(logits, (logit) => logit - largest - Math.log(sum))
}

function largest(some: Float64Array, others: Float64Array): number {
  return some.reduce(
    (most, value, index) => Math.max(most, Math.abs(value - (others[index] ?? Number.NaN))),
    0,
  )
}

/** The largest difference to what was recorded. */
function difference(ours: Float64Array, { top }: Recording): number {
  return Math.max(...top.map(([id, , logprob]) => Math.abs((ours[id] ?? Number.NaN) - logprob)))
}

describe.skipIf(files.mtmd === undefined)("a projector", () => {
  for (const family of ["gemma3", "qwen2vl", "qwen3vl", "idefics3", "ultravox"] as const)
    test(`of ${family} gives the log probabilities of llama-server`, async () => {
      const { model, projector } = writeTinyVision(folder.path, family)
      using scene = new Scene(model, projector)
      for (const one of RECORDED_CASES.filter((other) => other.family === family)) {
        const recording = recorded[`${family}: ${one.name}`]
        if (recording === undefined) throw new Error(`${one.name} was not recorded`)
        const { units, encoded } = await scene.read(one)
        expect(layOutCells(units).tokens.length).toBe(recording.promptTokens)
        expect(difference(scene.decode(units, encoded), recording)).toBeLessThan(2e-5)
      }
    })

  test("gives the same in slices where the model's mask is causal", async () => {
    const { model, projector } = writeTinyVision(folder.path, "qwen2vl")
    using scene = new Scene(model, projector)
    const { units, encoded } = await scene.read(LARGE)
    const whole = scene.decode(units, encoded)
    expect(largest(scene.decode(units, encoded, 100), whole)).toBeLessThan(2e-5)
    expect(largest(scene.decode(units, encoded, 7, 1), whole)).toBeLessThan(2e-5)
  })

  test("refuses what the micro-batch cannot hold at once", async () => {
    const { model, projector } = writeTinyVision(folder.path, "gemma3")
    using scene = new Scene(model, projector, 8)
    const { encoded } = await scene.read({ prompt: "<media>", media: [PICTURE] })
    const [unit] = encoded
    if (unit === undefined) throw new Error("nothing was encoded")
    const slice = {
      positions: unit.positions(0),
      first: 0,
      count: 16,
      sequence: 0,
      isWhole: true,
      output: false,
    }
    expect(() => scene.context.decodeEmbeddings({ ...slice, embeddings: unit.embeddings })).toThrow(
      "16 embeddings cannot be computed at once: the context takes 8",
    )
  })

  test("gives each picture, limit and place in a prompt its own digest", async () => {
    const { model, projector } = writeTinyVision(folder.path, "idefics3")
    using scene = new Scene(model, projector)
    const content = decodedMedia(PICTURE)
    const [first, second] = [0, 1].map((index) =>
      scene.projector
        .plan(measure(content, index))
        .flatMap((unit) => (unit instanceof Int32Array ? [] : [Buffer.from(unit.digest).toString("hex")])),
    )
    expect(new Set([...(first ?? []), ...(second ?? [])]).size).toBe(26)
  })

  test("drops what is cancelled before it begins, and goes on with the next", async () => {
    const { model, projector } = writeTinyVision(folder.path, "qwen3vl")
    using scene = new Scene(model, projector)
    const content = decodedMedia(PICTURE)
    const media = measure(content, 0)
    const controller = new AbortController()
    const first = scene.projector.encode(media, content, NO_ABORT)
    const second = scene.projector.encode(media, content, controller.signal)
    const third = scene.projector.encode(media, content, NO_ABORT, true)
    controller.abort(new Error("no longer wanted"))
    await expect(second).rejects.toThrow("no longer wanted")
    const [a, b] = await Promise.all([first, third])
    expect(a[0]?.embeddings).toEqual(b[0]?.embeddings)
    await expect(
      scene.projector.encode(media, content, AbortSignal.abort(new Error("too late"))),
    ).rejects.toThrow("too late")
  })

  test("encodes pictures of every shape, and refuses what the library would end the process for", async () => {
    for (const family of ["gemma3", "qwen2vl", "qwen3vl", "idefics3"] as const) {
      const { model, projector } = writeTinyVision(folder.path, family)
      using scene = new Scene(model, projector)
      for (const [width, height] of SHAPES) {
        const content = { width, height, rgb: new Uint8Array(width * height * 3).fill(9) }
        const media = measure(content, 0)
        const cells = scene.projector.plan(media).flatMap((unit) => ("cells" in unit ? [unit.cells] : []))
        expect(Math.max(...cells)).toBeLessThanOrEqual(scene.projector.mostCells)
        const encoded = await scene.projector
          .encode(media, content, NO_ABORT)
          .catch((error: Error) => error.message)
        // This family's library refuses what would have no height once it is resized.
        const isRefused = family === "idefics3" && Math.max(width, height) > 1000 * Math.min(width, height)
        expect(
          typeof encoded === "string"
            ? encoded
            : encoded.map(({ embeddings }) => embeddings.length / scene.projector.width),
        ).toEqual(
          isRefused
            ? `a picture of ${width} × ${height} pixels cannot be shown to the model; give it another size or shape`
            : cells,
        )
      }
      for (const [width, height] of [
        [46_001, 1],
        [1, 16_385],
        [0, 5],
      ] as const)
        expect(() => scene.projector.plan({ ...PICTURE_OF_NOTHING, width, height })).toThrow(
          "cannot be shown to the model",
        )
    }
  })

  test("is refused where it is damaged", () => {
    const { model } = writeTinyVision(folder.path, "gemma3")
    for (const broken of BROKEN_PROJECTORS) {
      const projector = join(folder.path, "broken.gguf")
      broken.write(projector)
      expect(() => new Scene(model, projector), broken.name).toThrow(XllmError)
    }
  })

  test("is refused by models of another family, and of another width", () => {
    const { model } = writeTinyVision(folder.path, "gemma3")
    const { projector: other } = writeTinyVision(folder.path, "qwen2vl")
    const { projector: wide } = writeTinyVision(folder.path, "gemma3", { name: "wide", dim: 96 })
    expect(() => new Scene(model, other)).toThrow("which is not for models of the architecture 'gemma3'")
    expect(() => new Scene(model, wide)).toThrow("makes embeddings of 96 numbers")
  })

  test.skipIf(!hasRealModel())("of a real model sees red", async () => {
    using scene = new Scene(REAL_MODEL_PATH, writeEye(folder.path))
    const [one] = RECORDED_CASES.filter(({ family }) => family === "eye")
    const recording = recorded[`eye: ${one?.name}`]
    if (one === undefined || recording === undefined) throw new Error("the eye was not recorded")
    const { units, encoded } = await scene.read(one)
    const ours = scene.decode(units, encoded)
    expect(difference(ours, recording)).toBeLessThan(1e-3)
  })
})
