import { tmpdir } from "node:os"
import { join } from "node:path"
import type { AttachedPart } from "../../../src/domain/attached-parts"
import type { MemoryFootprint } from "../../../src/domain/device"
import type { LoadedModelInfo } from "../../../src/domain/loaded-model"
import type { ModelDefaults, ModelKind } from "../../../src/domain/model"
import type { TextModelSettings } from "../../../src/domain/settings"
import type { MediaEvent, MediaRequest } from "../../../src/domain/tasks"
import { timeoutsOf } from "../../../src/engine/process/timeouts"
import { WorkerChild, workerEnvironment } from "../../../src/engine/process/worker-child"
import type { WorkerLine } from "../../../src/engine/process/worker-lines"
import { fromWire, type XllmError } from "../../../src/errors/base"
import type { FromWorker, ToWorker } from "../../../src/protocol/messages"
import { encodeDefaults, encodeRequest, EventReader, type RequestEvent } from "../../../src/protocol/wire"
import { EXACT_SETTINGS } from "./real-worker"

type EventOf<E extends MediaEvent, T extends E["type"]> = Extract<E, { readonly type: T }>

/** One request in a real media worker, and its events. */
export class MediaWork<E extends MediaEvent> {
  readonly events: E[] = []
  error: XllmError | undefined
  /** Resolves when the request has ended, even with an error. */
  readonly over: Promise<void>
  readonly #over = Promise.withResolvers<void>()
  readonly #waiters: { readonly type: E["type"]; readonly resolve: () => void }[] = []

  constructor(readonly id: number) {
    this.over = this.#over.promise
  }

  take(entry: RequestEvent<E>): void {
    if ("error" in entry) this.error = fromWire(entry.error)
    else this.events.push(entry.event)
    const type = "error" in entry ? "done" : entry.event.type
    for (const waiter of this.#waiters) if (waiter.type === type || type === "done") waiter.resolve()
    if (type === "done") this.#over.resolve()
  }

  /** Resolves at the first event of that type, or at the end. */
  async first(type: E["type"]): Promise<void> {
    if (this.error !== undefined || this.events.some((event) => event.type === type)) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiters.push({ type, resolve })
    await promise
  }

  all<T extends E["type"]>(type: T): readonly EventOf<E, T>[] {
    return this.events.filter((event): event is EventOf<E, T> => event.type === type)
  }

  /** @throws the request's error */
  only<T extends E["type"]>(type: T): EventOf<E, T> {
    const [event] = this.all(type)
    if (event === undefined) throw this.error ?? new Error(`there was no '${type}'`)
    return event
  }

  get done(): EventOf<E, "done"> {
    if (this.error !== undefined) throw this.error
    return this.only("done")
  }
}

export interface MediaWorkerOptions {
  /** The folder for derived files; absent: the model needs none. */
  readonly derivedFolder?: string
  readonly defaults?: ModelDefaults
  /** The files attached to its weights. */
  readonly parts?: readonly AttachedPart[]
  readonly settings?: Partial<TextModelSettings>
  /** The command that starts it; absent: the sources. */
  readonly command?: readonly string[]
  readonly runtimeFolder?: string
}

/** A real worker, driven as by the engine. Its process ends with the scope. */
export abstract class MediaWorker<
  R extends MediaRequest,
  E extends MediaEvent,
  W extends MediaWork<E>,
> implements AsyncDisposable {
  /** Its output, including load progress. */
  readonly lines: WorkerLine[] = []
  /** Heartbeats: messages with and without events. */
  signs = 0
  readonly #kind: ModelKind
  readonly #child: WorkerChild<ToWorker<R>, FromWorker<E>>
  readonly #ready = Promise.withResolvers<LoadedModelInfo>()
  readonly #ended = Promise.withResolvers<string>()
  readonly #events = new EventReader<E>()
  readonly #work = new Map<number, W>()
  #info: LoadedModelInfo | undefined
  #footprint: MemoryFootprint | undefined
  #nextId = 1

  protected constructor(kind: ModelKind, command: MediaWorkerOptions["command"]) {
    this.#kind = kind
    this.#child = new WorkerChild<ToWorker<R>, FromWorker<E>>(
      [...(command ?? [process.execPath, join(import.meta.dir, "../../../src/index.ts")]), "worker", kind],
      timeoutsOf(kind),
      {
        message: (message) => this.#hear(message),
        line: (line) => void this.lines.push(line),
        ended: ({ how, lastLines }) => this.#lost(`the worker ${how}: ${lastLines.join(" | ")}`),
      },
    )
  }

  /** Loads the model at `path`. @throws the worker's load error */
  protected async load(path: string, options: MediaWorkerOptions): Promise<this> {
    const { derivedFolder = "/nonexistent", defaults, parts, settings, runtimeFolder } = options
    this.#child.send({
      type: "load",
      environment: workerEnvironment(runtimeFolder ?? join(tmpdir(), "xllm-test-runtime")),
      model: {
        name: "m",
        id: "0123456789ab",
        kind: this.#kind,
        path,
        derivedFolder,
        ...(defaults !== undefined && { defaults: encodeDefaults(defaults) }),
        ...(parts !== undefined && { parts }),
      },
      settings: { ...EXACT_SETTINGS, ...settings },
      templateTimeoutMs: 1000,
    })
    this.#info = await this.#ready.promise
    return this
  }

  get info(): LoadedModelInfo {
    if (this.#info === undefined) throw new Error("the worker is not loaded")
    return this.#info
  }

  /** The memory by its last report. */
  get footprint(): MemoryFootprint {
    return this.#footprint ?? this.info.footprint
  }

  get pid(): number {
    return this.#child.pid
  }

  /** How it ended, with its last output. */
  get ended(): Promise<string> {
    return this.#ended.promise
  }

  cancel({ id }: W): void {
    this.#child.send({ type: "cancel", id })
  }

  protected begin(make: (id: number) => W, request: R): W {
    const work = make(this.#nextId++)
    this.#work.set(work.id, work)
    this.#child.send({
      type: "generate",
      id: work.id,
      request: encodeRequest(request),
      queueMs: 1,
      loadMs: 2,
    })
    return work
  }

  #hear(message: FromWorker<E>): void {
    if (message.type === "ready") this.#ready.resolve(message.info)
    if (message.type === "load-failed") this.#ready.reject(fromWire(message.error))
    if (message.type === "footprint") this.#footprint = message.footprint
    if (message.type !== "step") return
    this.signs++
    for (const entry of this.#events.read(message.events)) this.#work.get(entry.id)?.take(entry)
  }

  #lost(words: string): void {
    this.#ready.reject(new Error(words))
    this.#ended.resolve(words)
    const error = { code: "worker_lost", status: 500, message: words }
    for (const work of this.#work.values()) if (work.error === undefined) work.take({ id: work.id, error })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill()
    await this.#child.ended
  }
}

/** Waits for the work to end. @throws its error */
export async function finished<W extends MediaWork<MediaEvent>>(work: W): Promise<W> {
  await work.over
  if (work.error !== undefined) throw work.error
  return work
}
