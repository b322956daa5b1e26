import { tmpdir } from "node:os"
import { join } from "node:path"
import type {
  LoadedModelInfo,
  TranscriptionEvent,
  TranscriptionRequest,
  TranscriptSegment,
} from "../../src/domain"
import { DEFAULT_LIMITS } from "../../src/engine/limits"
import { WorkerChild, workerEnvironment } from "../../src/engine/worker-child"
import { fromWire, type XllmError } from "../../src/errors"
import type { FromWorker, RequestEvent, ToWorker } from "../../src/protocol/messages"
import { EXACT_SETTINGS } from "./real-worker"

type To = ToWorker<TranscriptionRequest>
type From = FromWorker<TranscriptionEvent>
type EventOf<T extends TranscriptionEvent["type"]> = Extract<TranscriptionEvent, { readonly type: T }>

/** One request in a real recogniser's worker, and what it was told. */
export class Dictation {
  readonly events: TranscriptionEvent[] = []
  error: XllmError | undefined
  /** Settles, without a failure, when the worker has said the last word. */
  readonly over: Promise<void>
  /** Settles with the first segment, or the end. */
  readonly begun: Promise<void>
  readonly #over = Promise.withResolvers<void>()
  readonly #begun = Promise.withResolvers<void>()

  constructor(readonly id: number) {
    this.over = this.#over.promise
    this.begun = this.#begun.promise
  }

  take(entry: RequestEvent<TranscriptionEvent>): void {
    if ("error" in entry) this.error = fromWire(entry.error)
    else this.events.push(entry.event)
    const isOver = "error" in entry || entry.event.type === "done"
    if (isOver || entry.event.type === "segment") this.#begun.resolve()
    if (isOver) this.#over.resolve()
  }

  get segments(): readonly TranscriptSegment[] {
    return this.events.flatMap((event) => (event.type === "segment" ? [event.segment] : []))
  }

  get text(): string {
    return this.segments.map(({ text }) => text).join(" ")
  }

  get done(): EventOf<"done"> {
    if (this.error !== undefined) throw this.error
    const event = this.events.find((each) => each.type === "done")
    if (event === undefined) throw new Error("there was no 'done'")
    return event
  }
}

export interface RealRecognizerOptions {
  /** Where derived files go; absent: nowhere, because the recogniser needs none. */
  readonly derivedFolder?: string
  /** The command that starts it; absent: the sources. */
  readonly command?: readonly string[]
  readonly threads?: number
}

/** A real recogniser's worker, spoken to as the engine does. Its process ends with the scope. */
export class RealRecognizer implements AsyncDisposable {
  readonly info: LoadedModelInfo
  readonly #child: WorkerChild<To, From>
  readonly #dictations = new Map<number, Dictation>()
  #nextId = 1

  private constructor(child: WorkerChild<To, From>, info: LoadedModelInfo) {
    this.#child = child
    this.info = info
  }

  /** Starts a process and loads the recogniser at `path`. @throws what the worker fails to load with */
  static async start(path: string, options: RealRecognizerOptions = {}): Promise<RealRecognizer> {
    const ready = Promise.withResolvers<RealRecognizer>()
    let recognizer: RealRecognizer | undefined
    const child: WorkerChild<To, From> = new WorkerChild<To, From>(
      [
        ...(options.command ?? [process.execPath, join(import.meta.dir, "../../src/index.ts")]),
        "worker",
        "recognizer",
      ],
      DEFAULT_LIMITS,
      {
        message: (message) => {
          if (message.type === "ready") ready.resolve((recognizer = new RealRecognizer(child, message.info)))
          else if (message.type === "load-failed") ready.reject(fromWire(message.error))
          else if (message.type === "step" && recognizer) recognizer.#hear(message.events)
        },
        line: () => {},
        ended: ({ how, lastLines }) => {
          const error = new Error(`the worker ${how}: ${lastLines.join(" | ")}`)
          ready.reject(error)
          if (recognizer) recognizer.#lost(error)
        },
      },
    )
    child.send({
      type: "load",
      environment: workerEnvironment(join(tmpdir(), "xllm-test-runtime")),
      model: { name: "r", kind: "recognizer", path, derivedFolder: options.derivedFolder ?? "/nonexistent" },
      settings: { ...EXACT_SETTINGS, decodeThreads: options.threads ?? 1 },
      templateTimeoutMs: 1000,
    })
    return await ready.promise
  }

  submit(audioPath: string, request: Partial<TranscriptionRequest> = {}): Dictation {
    const dictation = new Dictation(this.#nextId++)
    this.#dictations.set(dictation.id, dictation)
    this.#child.send({
      type: "generate",
      id: dictation.id,
      request: { kind: "transcription", task: "transcribe", wordTimes: false, ...request, audioPath },
      queueMs: 1,
      loadMs: 2,
    })
    return dictation
  }

  /** Gives it a recording, and waits for the end. @throws what it fails with */
  async transcribe(audioPath: string, request: Partial<TranscriptionRequest> = {}): Promise<Dictation> {
    const dictation = this.submit(audioPath, request)
    await dictation.over
    if (dictation.error !== undefined) throw dictation.error
    return dictation
  }

  cancel({ id }: Dictation): void {
    this.#child.send({ type: "cancel", id })
  }

  #hear(events: readonly RequestEvent<TranscriptionEvent>[]): void {
    for (const entry of events) this.#dictations.get(entry.id)?.take(entry)
  }

  #lost(error: Error): void {
    const wire = { code: "worker_lost", status: 500, message: error.message }
    for (const dictation of this.#dictations.values())
      if (dictation.error === undefined) dictation.take({ id: dictation.id, error: wire })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill()
    await this.#child.ended
  }
}
