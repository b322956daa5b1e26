import { readFileSync } from "node:fs"
import { asXllmError, InternalError } from "../../errors/base"
import type { Library } from "../../llama/library"
import { locateLlama } from "../../native/llama-files"
import type { MeasuredMemory } from "../../measure/work"
import type { FromMeasureWorker, ToMeasureWorker } from "../../protocol/measure"
import { endWithParent } from "../lifetime"
import { gpusForLoad } from "../text/load"
import { loadMeasured, type MeasuredModel, openContext, openLibrary } from "./loaded"
import { Scoring } from "./scoring"
import { DepthCache, Timing } from "./timing"

type Message<T extends ToMeasureWorker["type"]> = Extract<ToMeasureWorker, { readonly type: T }>

/** Measures models for the parent process, without a server's scheduling and sampling, until the parent disconnects. */
export function runMeasureWorker(): void {
  const worker = new MeasureWorker((message) => void process.send?.(message))
  process.on("message", (message: ToMeasureWorker) => void worker.handle(message))
}

interface Loaded {
  readonly library: Library
  readonly models: readonly MeasuredModel[]
  readonly hasSameVocabulary: boolean
}

class MeasureWorker {
  readonly #send: (message: FromMeasureWorker) => void
  readonly #depths = new DepthCache()
  #loaded: Loaded | undefined

  constructor(send: (message: FromMeasureWorker) => void) {
    this.#send = send
  }

  async handle(message: ToMeasureWorker): Promise<void> {
    try {
      switch (message.type) {
        case "load":
          return await this.#load(message)
        case "time":
          return await this.#time(message)
        case "context":
          return this.#makeContext(message)
        case "score":
          return await this.#score(message)
        default:
          return message satisfies never
      }
    } catch (error) {
      this.#send({ type: "failed", error: asXllmError(error).toWire() })
    }
  }

  async #load({ environment, models }: Message<"load">): Promise<void> {
    endWithParent(environment.parentPid)
    const files = await locateLlama(environment.runtimeFolder)
    const library = openLibrary(
      files,
      models.some(({ settings }) => settings.gpuLayers !== 0),
    )
    const before = this.#usage(library, models[0]?.settings)
    const startedAt = performance.now()
    const loaded = models.map(({ model, settings }) =>
      loadMeasured(library, model, settings, gpusForLoad(library, settings)),
    )
    const loadMs = performance.now() - startedAt
    const hasSameVocabulary = sameVocabulary(loaded)
    this.#loaded = { library, models: loaded, hasSameVocabulary }
    const settings = models[0]?.settings
    this.#send({
      type: "loaded",
      models: loaded.map(({ facts }) => facts),
      loadMs,
      memory: growth(before, this.#usage(library, settings)),
      gpus: settings === undefined ? [] : gpusForLoad(library, settings),
      sameVocabulary: hasSameVocabulary,
    })
  }

  async #time({ context, work }: Message<"time">): Promise<void> {
    const { library, first } = this.#models
    const before = this.#usage(library, first.settings)
    using timing = new Timing(first, context, work, this.#depths)
    for (let i = 0; i < work.warmup; i++) timing.warmUp()
    for (let i = 0; i < work.repetitions; i++) {
      this.#send({ type: "sample", nanoseconds: timing.measure() })
      // So that the message leaves before the next repetition.
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.#finish(growth(before, this.#usage(library, first.settings)))
  }

  #makeContext({ context, cells }: Message<"context">): void {
    const { library, first } = this.#models
    const before = this.#usage(library, first.settings)
    using made = openContext(first, cells, 1, context)
    // llama.cpp writes to every cell when it makes them.
    made.clear(0)
    this.#finish(growth(before, this.#usage(library, first.settings)))
  }

  async #score({ context, text, windowTokens }: Message<"score">): Promise<void> {
    const { library, models, first, hasSameVocabulary } = this.#models
    const before = this.#usage(library, first.settings)
    using scoring = new Scoring(models, { text, windowTokens, context })
    for (let index = 0; index < scoring.windows; index++) {
      this.#send({
        type: "window",
        index,
        windows: scoring.windows,
        scores: scoring.window(index, hasSameVocabulary),
      })
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.#finish(growth(before, this.#usage(library, first.settings)))
  }

  get #models(): Loaded & { readonly first: MeasuredModel } {
    const first = this.#loaded?.models[0]
    if (this.#loaded === undefined || first === undefined) throw new InternalError("no model is loaded yet")
    return { ...this.#loaded, first }
  }

  #finish(memory: MeasuredMemory): void {
    this.#send({ type: "finished", memory, peakRamBytes: peakRamBytes() })
  }

  #usage(library: Library, settings: MeasuredModel["settings"] | undefined): Usage {
    const gpus = settings === undefined ? [] : gpusForLoad(library, settings)
    return {
      ramBytes: process.memoryUsage.rss(),
      freeOnDevices: gpus.map(({ name, freeBytes }) => ({ name, bytes: freeBytes })),
    }
  }
}

interface Usage {
  readonly ramBytes: number
  readonly freeOnDevices: readonly { readonly name: string; readonly bytes: number }[]
}

function growth(before: Usage, after: Usage): MeasuredMemory {
  return {
    ramBytes: Math.max(0, after.ramBytes - before.ramBytes),
    devices: before.freeOnDevices.map(({ name, bytes }, index) => ({
      name,
      bytes: Math.max(0, bytes - (after.freeOnDevices[index]?.bytes ?? bytes)),
    })),
  }
}

/** Do the models divide texts into the same tokens with the same numbers? */
function sameVocabulary(models: readonly MeasuredModel[]): boolean {
  const [first, ...others] = models.map(({ model }) => model.vocabulary)
  if (first === undefined) return true
  return others.every((other) => {
    if (other.size !== first.size || other.bos !== first.bos || other.addsBos !== first.addsBos) return false
    for (let token = 0; token < first.size; token++)
      if (Buffer.compare(first.bytesOnce(token), other.bytesOnce(token)) !== 0) return false
    return true
  })
}

/** The most resident pages so far, see proc(5); 0 where the system does not tell. */
function peakRamBytes(): number {
  try {
    const status = readFileSync("/proc/self/status", "latin1")
    return 1024 * Number(/^VmHWM:\s*(\d+) kB/m.exec(status)?.[1] ?? 0)
  } catch {
    return 0
  }
}
