import { tmpdir } from "node:os"
import { join } from "node:path"
import type {
  ImageEvent,
  ImageRequest,
  LoadedModelInfo,
  ModelDefaults,
  TextModelSettings,
} from "../../src/domain"
import { limitsOf } from "../../src/engine/limits"
import { WorkerChild, workerEnvironment } from "../../src/engine/worker-child"
import type { WorkerLine } from "../../src/engine/worker-lines"
import { fromWire, type XllmError } from "../../src/errors"
import type { FromWorker, RequestEvent, ToWorker } from "../../src/protocol/messages"
import { EXACT_SETTINGS } from "./real-worker"

type To = ToWorker<ImageRequest>
type From = FromWorker<ImageEvent>
type EventOf<T extends ImageEvent["type"]> = Extract<ImageEvent, { readonly type: T }>

/** The smallest picture there is: 64 by 64, in one step, without guidance. */
export const DRAW: ImageRequest = {
  kind: "image",
  prompt: "a cat",
  n: 1,
  width: 64,
  height: 64,
  steps: 1,
  cfgScale: 1,
  seed: 1,
  format: "png",
  preview: false,
}

/** One request in a real painter's worker, and what it was told. */
export class Drawing {
  readonly events: ImageEvent[] = []
  error: XllmError | undefined
  /** Settles, without a failure, when the worker has said the last word. */
  readonly over: Promise<void>
  readonly #over = Promise.withResolvers<void>()
  readonly #waiters: { readonly wants: () => boolean; readonly resolve: () => void }[] = []

  constructor(readonly id: number) {
    this.over = this.#over.promise
  }

  take(entry: RequestEvent<ImageEvent>): void {
    if ("error" in entry) this.error = fromWire(entry.error)
    else this.events.push(entry.event)
    for (const waiter of this.#waiters) if (waiter.wants()) waiter.resolve()
    if ("error" in entry || entry.event.type === "done") this.#over.resolve()
  }

  /** Waits for the first step. */
  async step(): Promise<void> {
    const wants = () => this.steps.length > 0
    if (wants()) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiters.push({ wants, resolve })
    await promise
  }

  get steps(): readonly EventOf<"step">[] {
    return this.events.filter((event) => event.type === "step")
  }

  get images(): readonly EventOf<"image">[] {
    return this.events.filter((event) => event.type === "image")
  }

  get image(): EventOf<"image"> {
    const [image] = this.images
    if (image === undefined) throw this.error ?? new Error("there was no picture")
    return image
  }

  get done(): EventOf<"done"> {
    if (this.error !== undefined) throw this.error
    const [done] = this.events.filter((event) => event.type === "done")
    if (done === undefined) throw new Error("there was no end")
    return done
  }
}

export interface RealPainterOptions {
  readonly settings?: Partial<TextModelSettings>
  readonly defaults?: ModelDefaults
  /** The command that starts it; absent: the sources. */
  readonly command?: readonly string[]
  readonly runtimeFolder?: string
}

/** A real painter's worker, spoken to as the engine does. Its process ends with the scope. */
export class RealPainter implements AsyncDisposable {
  readonly info: LoadedModelInfo
  /** What it wrote, the load's progress included. */
  readonly lines: readonly WorkerLine[]
  readonly #child: WorkerChild<To, From>
  readonly #drawings = new Map<number, Drawing>()
  readonly #ended = Promise.withResolvers<string>()
  /** Signs of life: messages with and without events. */
  signs = 0
  #nextId = 1

  private constructor(child: WorkerChild<To, From>, info: LoadedModelInfo, lines: readonly WorkerLine[]) {
    this.#child = child
    this.info = info
    this.lines = lines
  }

  /** Starts a process and loads the model at `path`. @throws what the worker fails to load with */
  static async start(path: string, options: RealPainterOptions = {}): Promise<RealPainter> {
    const ready = Promise.withResolvers<RealPainter>()
    const lines: WorkerLine[] = []
    let painter: RealPainter | undefined
    const child: WorkerChild<To, From> = new WorkerChild<To, From>(
      [
        ...(options.command ?? [process.execPath, join(import.meta.dir, "../../src/index.ts")]),
        "worker",
        "image",
      ],
      limitsOf("image"),
      {
        message: (message) => {
          if (message.type === "ready") ready.resolve((painter = new RealPainter(child, message.info, lines)))
          else if (message.type === "load-failed") ready.reject(fromWire(message.error))
          else if (message.type === "step" && painter) painter.#hear(message.events)
        },
        line: (line) => lines.push(line),
        ended: ({ how, lastLines }) => {
          const words = `the worker ${how}: ${lastLines.join(" | ")}`
          ready.reject(new Error(words))
          if (painter) painter.#ended.resolve(words)
        },
      },
    )
    child.send({
      type: "load",
      environment: workerEnvironment(options.runtimeFolder ?? join(tmpdir(), "xllm-test-runtime")),
      model: {
        name: "m",
        kind: "image",
        path,
        derivedFolder: "/nonexistent",
        ...(options.defaults !== undefined && { defaults: options.defaults }),
      },
      settings: { ...EXACT_SETTINGS, ...options.settings },
      templateTimeoutMs: 1000,
    })
    return await ready.promise
  }

  get pid(): number {
    return this.#child.pid
  }

  /** How it ended, with its last words. */
  get ended(): Promise<string> {
    return this.#ended.promise
  }

  submit(request: Partial<ImageRequest> = {}): Drawing {
    const drawing = new Drawing(this.#nextId++)
    this.#drawings.set(drawing.id, drawing)
    this.#child.send({
      type: "generate",
      id: drawing.id,
      request: { ...DRAW, ...request },
      queueMs: 1,
      loadMs: 2,
    })
    return drawing
  }

  /** Gives it a request, and waits for the end. @throws what it fails with */
  async draw(request: Partial<ImageRequest> = {}): Promise<Drawing> {
    const drawing = this.submit(request)
    await drawing.over
    if (drawing.error !== undefined) throw drawing.error
    return drawing
  }

  cancel(drawing: Drawing): void {
    this.#drawings.delete(drawing.id)
    this.#child.send({ type: "cancel", id: drawing.id })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill()
    await this.#child.ended
  }

  #hear(events: readonly RequestEvent<ImageEvent>[]): void {
    this.signs++
    for (const entry of events) this.#drawings.get(entry.id)?.take(entry)
  }
}
