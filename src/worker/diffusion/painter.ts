import type { ImageEvent, ImageRequest } from "../../domain/image"
import type { LoadedMediaInfo } from "../../domain/loaded-model"
import { DrawingFailed } from "../../errors/engine"
import { Cancelled } from "../../errors/request"
import type { ArchitectureName } from "../../formats/image/architectures"
import type { Job, MediaEngine } from "../media-shell"
import { type Drawing, planDrawing } from "./drawing"
import { encodePicture, readSource, sizeOfPng, sizeOfSource } from "./pictures"
import type { DrawParameters, FromSidecar, ToSidecar } from "./sidecar-messages"

export interface PainterOptions {
  readonly info: LoadedMediaInfo
  readonly architecture: ArchitectureName
  /** The path of a LoRA that all pictures are made with. */
  readonly adapter: string | undefined
  readonly send: (message: ToSidecar, bytes?: Uint8Array) => void
}

type Told = Exclude<FromSidecar, { type: "log" | "loaded" | "load-failed" }>

/** The picture that is being made. */
interface Current {
  readonly job: Job<ImageEvent>
  readonly image: number
  /** Of the sampler; whatever else is counted has another number of them, or comes before it. */
  readonly steps: number
  /** Steps that were told. */
  step: number
  png: Uint8Array | undefined
  readonly over: PromiseWithResolvers<Uint8Array>
}

/** Makes pictures, one after another: the process that draws does one at a time. */
export class Painter implements MediaEngine<ImageRequest, ImageEvent> {
  readonly #options: PainterOptions
  #current: Current | undefined
  /** Ends with the last request that was taken. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: PainterOptions) {
    this.#options = options
  }

  get info(): LoadedMediaInfo {
    return this.#options.info
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
    const drawing = planDrawing({ request, architecture, adapter, source, randomSeed: randomSeed() })
    const start = request.source && (await readSource(request.source.imagePath, drawing.size))
    let steps = 0
    for (let image = 0; image < request.n; image++) {
      const seed = drawing.seed + image
      const drawn = await this.#draw({ drawing, seed, start, job, image })
      steps += drawn.steps
      const bytes = await encodePicture(drawn.png, request.format, request.compression)
      job.emit({ type: "image", image, bytes, ...sizeOfPng(drawn.png), seed })
    }
    const timings = {
      queueMs: job.queueMs + waitedMs,
      loadMs: job.loadMs,
      workMs: performance.now() - startedAt,
    }
    job.emit({ type: "done", usage: { images: request.n, steps }, timings })
  }

  async #draw(wanted: {
    readonly drawing: Drawing
    readonly seed: number
    readonly start: Uint8Array | undefined
    readonly job: Job<ImageEvent>
    readonly image: number
  }): Promise<{ readonly png: Uint8Array; readonly steps: number }> {
    const { drawing, seed, start, job, image } = wanted
    if (job.signal.aborted) throw new Cancelled()
    const current: Current = {
      job,
      image,
      steps: drawing.steps,
      step: 0,
      png: undefined,
      over: Promise.withResolvers(),
    }
    this.#current = current
    const parameters: DrawParameters = { ...drawing.parameters, seed }
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

  /** What the process that draws tells of the picture at hand. */
  heard(message: Told, bytes: Uint8Array): void {
    const current = this.#current
    if (current === undefined) return
    switch (message.type) {
      case "progress":
        // The library forgets a word that comes before it has begun.
        if (current.job.signal.aborted) this.#options.send({ type: "cancel" })
        return stepped(current, message)
      case "image":
        current.png = bytes
        return current.job.alive()
      case "done":
        return current.png === undefined
          ? current.over.reject(new DrawingFailed("the engine gave no picture"))
          : current.over.resolve(current.png)
      case "failed":
        return current.over.reject(
          current.job.signal.aborted ? new Cancelled() : new DrawingFailed(message.reason),
        )
      default:
        message satisfies never
    }
  }
}

/**
 * Each sequence that the library counts begins with step 0. Those of adapters come before the sampler's, those of the
 * tiles of a large picture after it.
 */
function stepped(current: Current, { step, total }: { readonly step: number; readonly total: number }): void {
  if (total !== current.steps || step !== current.step + 1) return current.job.alive()
  current.step = step
  current.job.emit({ type: "step", image: current.image, step, steps: total })
}

function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0
}
