import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { closeSync, openSync } from "node:fs"
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
const NO_ABORT = new AbortController().signal

/** A text model with its projector, and a context with room for all of a micro-batch. */
class Scene implements Disposable {
  readonly model: Model
  readonly projector: Projector
  readonly context: Context

  constructor(modelPath: string, projectorPath: string) {
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
      threads: 2,
      flashAttention: "off",
      warn: () => {},
    })
    const context = Context.create(model, {
      ...EXACT_SETTINGS,
      cells: 4096,
      layout: "unified",
      sequences: 2,
      batchTokens: 2048,
      microBatchTokens: 512,
      outputs: 8,
      decodeThreads: 2,
      prefillThreads: 2,
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
