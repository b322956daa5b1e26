import { tmpdir } from "node:os"
import { join } from "node:path"
import type { LoadedModelInfo, SpeechEvent, SpeechRequest } from "../../src/domain"
import { DEFAULT_LIMITS } from "../../src/engine/limits"
import { WorkerChild, workerEnvironment } from "../../src/engine/worker-child"
import { fromWire, type XllmError } from "../../src/errors"
import type { FromWorker, RequestEvent, ToWorker } from "../../src/protocol/messages"
import { EXACT_SETTINGS } from "./real-worker"

type To = ToWorker<SpeechRequest>
type From = FromWorker<SpeechEvent>
type EventOf<T extends SpeechEvent["type"]> = Extract<SpeechEvent, { readonly type: T }>

export const SPEAK: SpeechRequest = { kind: "speech", input: "abc", format: "wav", speed: 1 }

/** One request in a real voice worker, and what it was told. */
export class Speaking {
  readonly events: SpeechEvent[] = []
  error: XllmError | undefined
  /** Settles, without a failure, when the worker has said the last word. */
  readonly over: Promise<void>
  readonly #over = Promise.withResolvers<void>()
  readonly #waiters: { readonly wants: () => boolean; readonly resolve: () => void }[] = []

  constructor(readonly id: number) {
    this.over = this.#over.promise
  }

  take(entry: RequestEvent<SpeechEvent>): void {
    if ("error" in entry) this.error = fromWire(entry.error)
    else this.events.push(entry.event)
    for (const waiter of this.#waiters) if (waiter.wants()) waiter.resolve()
    if ("error" in entry || entry.event.type === "done") this.#over.resolve()
  }

  /** Waits for the first part of audio. */
  async sound(): Promise<void> {
    const wants = () => this.audio.length > 0
    if (wants()) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiters.push({ wants, resolve })
    await promise
  }

  get audio(): readonly EventOf<"audio">[] {
    return this.events.filter((event) => event.type === "audio")
  }

  get voice(): EventOf<"voice"> {
    return this.#only("voice")
  }

  get done(): EventOf<"done"> {
    if (this.error !== undefined) throw this.error
    return this.#only("done")
  }

  /** The whole file. */
  get bytes(): Uint8Array {
    return Buffer.concat(this.audio.map(({ bytes }) => bytes))
  }

  get samples(): number {
    return this.audio.reduce((sum, { samples }) => sum + samples, 0)
  }

  #only<T extends SpeechEvent["type"]>(type: T): EventOf<T> {
    const [event] = this.events.filter((each): each is EventOf<T> => each.type === type)
    if (event === undefined) throw new Error(`there was no '${type}'`)
    return event
  }
}

export interface RealVoiceOptions {
  /** Where derived files go; absent: nowhere, because the voice needs none. */
  readonly derivedFolder?: string
  /** The command that starts it; absent: the sources. */
  readonly command?: readonly string[]
  readonly threads?: number
}

/** A real voice worker, spoken to as the engine does. Its process ends with the scope. */
export class RealVoice implements AsyncDisposable {
  readonly info: LoadedModelInfo
  readonly #child: WorkerChild<To, From>
  readonly #speaking = new Map<number, Speaking>()
  #nextId = 1

  private constructor(child: WorkerChild<To, From>, info: LoadedModelInfo) {
    this.#child = child
    this.info = info
  }

  /** Starts a process and loads the voice at `path`. @throws what the worker fails to load with */
  static async start(path: string, options: RealVoiceOptions = {}): Promise<RealVoice> {
    const ready = Promise.withResolvers<RealVoice>()
    let voice: RealVoice | undefined
    const child: WorkerChild<To, From> = new WorkerChild<To, From>(
      [
        ...(options.command ?? [process.execPath, join(import.meta.dir, "../../src/index.ts")]),
        "worker",
        "voice",
      ],
      DEFAULT_LIMITS,
      {
        message: (message) => {
          if (message.type === "ready") ready.resolve((voice = new RealVoice(child, message.info)))
          else if (message.type === "load-failed") ready.reject(fromWire(message.error))
          else if (message.type === "step" && voice) voice.#hear(message.events)
        },
        line: () => {},
        ended: ({ how, lastLines }) => {
          const error = new Error(`the worker ${how}: ${lastLines.join(" | ")}`)
          ready.reject(error)
          if (voice) voice.#lost(error)
        },
      },
    )
    child.send({
      type: "load",
      environment: workerEnvironment(join(tmpdir(), "xllm-test-runtime")),
      model: { name: "v", kind: "voice", path, derivedFolder: options.derivedFolder ?? "/nonexistent" },
      settings: { ...EXACT_SETTINGS, decodeThreads: options.threads ?? 1 },
      templateTimeoutMs: 1000,
    })
    return await ready.promise
  }

  get pid(): number {
    return this.#child.pid
  }

  submit(request: Partial<SpeechRequest>): Speaking {
    const speaking = new Speaking(this.#nextId++)
    this.#speaking.set(speaking.id, speaking)
    this.#child.send({
      type: "generate",
      id: speaking.id,
      request: { ...SPEAK, ...request },
      queueMs: 1,
      loadMs: 2,
    })
    return speaking
  }

  /** Gives it a request, and waits for the end. @throws what it fails with */
  async speak(request: Partial<SpeechRequest>): Promise<Speaking> {
    const speaking = this.submit(request)
    await speaking.over
    if (speaking.error !== undefined) throw speaking.error
    return speaking
  }

  cancel({ id }: Speaking): void {
    this.#child.send({ type: "cancel", id })
  }

  #hear(events: readonly RequestEvent<SpeechEvent>[]): void {
    for (const entry of events) this.#speaking.get(entry.id)?.take(entry)
  }

  #lost(error: Error): void {
    const wire = { code: "worker_lost", status: 500, message: error.message }
    for (const speaking of this.#speaking.values())
      if (speaking.error === undefined) speaking.take({ id: speaking.id, error: wire })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill()
    await this.#child.ended
  }
}
