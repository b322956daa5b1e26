import type { ImageEvent, ImageRequest } from "../../domain/media/image"
import type { MemoryFootprint } from "../../domain/device"
import type { LoadedMediaInfo } from "../../domain/loaded-model"
import { ImageGenerationFailed } from "../../errors/engine"
import { Cancelled } from "../../errors/request"
import type { ArchitectureName } from "../../formats/image/architectures"
import type { Job, MediaEngine } from "../media-shell"
import { type ImageGeneration, planGeneration } from "./generation"
import { encodeImage, readSource, sizeOfPng, sizeOfSource } from "./image-codec"
import type { FromSidecar, GenerationParameters, ToSidecar } from "./sidecar-messages"

export interface DiffusionEngineOptions {
  readonly info: Omit<LoadedMediaInfo, "footprint">
  /** The memory of both processes, given the sidecar's resident bytes. */
  readonly footprintOf: (residentBytes: number) => MemoryFootprint
  /** After the load. */
  readonly residentBytes: number
  readonly architecture: ArchitectureName
  /** The path of a LoRA applied to all images. */
  readonly adapter: string | undefined
  readonly send: (message: ToSidecar, bytes?: Uint8Array) => void
}

type SidecarMessage = Exclude<FromSidecar, { type: "log" | "loaded" | "load-failed" }>

/** The image being generated. */
interface Current {
  readonly job: Job<ImageEvent>
  readonly image: number
  /** Steps of the sampler; other progress reports have a different total, or come before. */
  readonly steps: number
  /** The last reported step. */
  step: number
  png: Uint8Array | undefined
  readonly over: PromiseWithResolvers<Uint8Array>
}

/** Generates images one at a time, as the sidecar does. */
export class DiffusionEngine implements MediaEngine<ImageRequest, ImageEvent> {
  readonly #options: DiffusionEngineOptions
  #current: Current | undefined
  #latest: Job<ImageEvent> | undefined
  #residentBytes: number
  /** Settles with the last queued request. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: DiffusionEngineOptions) {
    this.#options = options
    this.#residentBytes = options.residentBytes
  }

  get info(): Omit<LoadedMediaInfo, "footprint"> {
    return this.#options.info
  }

  measure(): MemoryFootprint {
    return this.#options.footprintOf(this.#residentBytes)
  }

  /**
   * Is the latest image no longer wanted? The library reports that it failed, until it has stopped or shortly after:
   * its lines come on another way than its messages.
   */
  get isCancelling(): boolean {
    return this.#latest?.signal.aborted === true
  }

  work(request: ImageRequest, job: Job<ImageEvent>): Promise<void> {
    const arrivedAt = performance.now()
    const work = this.#last.then(() => this.#work(request, job, performance.now() - arrivedAt))
    this.#last = work.catch(() => undefined)
    return work
  }

  async #work(request: ImageRequest, job: Job<ImageEvent>, waitedMs: number): Promise<void> {
    const startedAt = performance.now()
    const { architecture, adapter } = this.#options
    const source = request.source && (await sizeOfSource(request.source.imagePath))
    const generation = planGeneration({ request, architecture, adapter, source, randomSeed: randomSeed() })
    const start = request.source && (await readSource(request.source.imagePath, generation.size))
    let steps = 0
    for (let image = 0; image < request.n; image++) {
      const seed = generation.seed + image
      const drawn = await this.#generate({ generation, seed, start, job, image })
      steps += drawn.steps
      const bytes = await encodeImage(drawn.png, request.format, request.compression)
      job.emit({ type: "image", image, bytes, ...sizeOfPng(drawn.png), seed })
    }
    const timings = {
      queueMs: job.queueMs + waitedMs,
      loadMs: job.loadMs,
      workMs: performance.now() - startedAt,
    }
    job.emit({ type: "done", usage: { images: request.n, steps }, timings })
  }

  async #generate(wanted: {
    readonly generation: ImageGeneration
    readonly seed: number
    readonly start: Uint8Array | undefined
    readonly job: Job<ImageEvent>
    readonly image: number
  }): Promise<{ readonly png: Uint8Array; readonly steps: number }> {
    const { generation, seed, start, job, image } = wanted
    if (job.signal.aborted) throw new Cancelled()
    const current: Current = {
      job,
      image,
      steps: generation.steps,
      step: 0,
      png: undefined,
      over: Promise.withResolvers(),
    }
    this.#current = current
    this.#latest = job
    const parameters: GenerationParameters = { ...generation.parameters, seed }
    const cancel = (): void => this.#options.send({ type: "cancel" })
    job.signal.addEventListener("abort", cancel, { once: true })
    try {
      this.#options.send({ type: "draw", parameters }, start)
      return { png: await current.over.promise, steps: current.step }
    } finally {
      job.signal.removeEventListener("abort", cancel)
      this.#current = undefined
    }
  }

  /** Handles a message from the sidecar about the current image. */
  onMessage(message: SidecarMessage, bytes: Uint8Array): void {
    if ("residentBytes" in message) this.#residentBytes = message.residentBytes
    const current = this.#current
    if (current === undefined) return
    switch (message.type) {
      case "progress":
        // The library ignores a cancel that arrives before it begins.
        if (current.job.signal.aborted) this.#options.send({ type: "cancel" })
        return stepped(current, message)
      case "image":
        current.png = bytes
        return current.job.heartbeat()
      case "done":
        return current.png === undefined
          ? current.over.reject(new ImageGenerationFailed("the engine returned no image"))
          : current.over.resolve(current.png)
      case "failed":
        return current.over.reject(
          current.job.signal.aborted ? new Cancelled() : new ImageGenerationFailed(message.reason),
        )
      default:
        message satisfies never
    }
  }
}

/**
 * Each sequence of progress reports begins with step 0. Those of adapters come before the sampler's, those of
 * the tiles of a large image after it.
 */
function stepped(current: Current, { step, total }: { readonly step: number; readonly total: number }): void {
  if (total !== current.steps || step !== current.step + 1) return current.job.heartbeat()
  current.step = step
  current.job.emit({ type: "step", image: current.image, step, steps: total })
}

function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0
}
