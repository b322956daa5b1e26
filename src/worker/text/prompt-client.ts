import type { GenerationRequest } from "../../domain"
import { formatSeconds } from "../../lib/duration"
import { fromWire, InternalError, TemplateFailed, type XllmError } from "../../errors"
import type { BuiltPrompt, FromPromptThread, PromptThreadSetup, ToPromptThread } from "./prompt-messages"

interface Job {
  readonly id: number
  readonly request: GenerationRequest
  readonly resolve: (prompt: BuiltPrompt) => void
  readonly reject: (error: XllmError) => void
}

/** How long after the time limit of a template it is looked again whether it is done. */
const SECOND_LOOK_MS = 10

/** Builds prompts in a thread of its own, one after another, and ends the thread where a template takes too long. */
export class PromptClient {
  #setup: Omit<PromptThreadSetup, "type">
  readonly #templateTimeoutMs: number
  /** The first one is what the thread works on. */
  #jobs: Job[] = []
  #thread: Worker | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #ready: PromiseWithResolvers<Extract<FromPromptThread, { type: "ready" }>> = Promise.withResolvers()
  #nextId = 0

  constructor(setup: Omit<PromptThreadSetup, "type">, templateTimeoutMs: number) {
    this.#setup = setup
    this.#templateTimeoutMs = templateTimeoutMs
  }

  /** Starts the thread, compiles the template and tries it. */
  start(): Promise<Extract<FromPromptThread, { type: "ready" }>> {
    this.#startThread()
    this.#timer = setTimeout(() => this.#giveUpTemplate(), this.#templateTimeoutMs)
    return this.#ready.promise
  }

  /** A template that does not even end when it is tried out would hold up every start of the thread. */
  #giveUpTemplate(): void {
    this.#thread?.terminate()
    this.#setup = { ...this.#setup, chatTemplate: null, templateError: this.#tooSlow() }
    this.#startThread()
  }

  /** @throws ContextLengthExceeded, TemplateFailed, InvalidRequest, Unsupported */
  build(request: GenerationRequest): Promise<BuiltPrompt> {
    const { promise, resolve, reject } = Promise.withResolvers<BuiltPrompt>()
    const job = { id: this.#nextId++, request, resolve, reject }
    this.#jobs.push(job)
    // Not only when it is its turn: between two steps this thread hears of all prompts that are done by then.
    this.#post(job)
    if (this.#jobs.length === 1) this.#watchFirst()
    return promise
  }

  #startThread(): void {
    const thread = new Worker(new URL("./prompt-thread.ts", import.meta.url).href)
    // What a thread that was given up has still said is not for its successor's jobs.
    const ifCurrent = (action: () => void): void => {
      if (thread === this.#thread) action()
    }
    thread.onmessage = (event: MessageEvent<FromPromptThread>) => ifCurrent(() => this.#handle(event.data))
    thread.onerror = ({ message }) =>
      ifCurrent(() => this.#restart(new InternalError(`the prompt thread failed: ${message}`)))
    thread.postMessage({ type: "setup", ...this.#setup } satisfies ToPromptThread)
    this.#thread = thread
  }

  #post({ id, request }: Job): void {
    this.#thread?.postMessage({ type: "build", id, request } satisfies ToPromptThread)
  }

  #watchFirst(): void {
    if (this.#jobs.length === 0) return
    this.#after(this.#templateTimeoutMs, () => {
      // A step may have taken longer than the limit: what the thread said during it is heard before the next one.
      this.#after(SECOND_LOOK_MS, () => this.#restart(new TemplateFailed(this.#tooSlow())))
    })
  }

  #after(ms: number, action: () => void): void {
    this.#timer = setTimeout(action, ms)
  }

  #tooSlow(): string {
    return `it took longer than ${formatSeconds(this.#templateTimeoutMs)}`
  }

  #handle(message: FromPromptThread): void {
    switch (message.type) {
      case "ready":
        return this.#becomeReady(message)
      case "rendered":
        return clearTimeout(this.#timer)
      case "built":
        return this.#finish((job) => job.resolve(message.prompt))
      case "failed":
        return this.#finish((job) => job.reject(fromWire(message.error)))
      default:
        message satisfies never
    }
  }

  #becomeReady(message: Extract<FromPromptThread, { type: "ready" }>): void {
    if (this.#jobs.length === 0) clearTimeout(this.#timer)
    this.#ready.resolve(message)
  }

  #finish(settle: (job: Job) => void): void {
    clearTimeout(this.#timer)
    const job = this.#jobs.shift()
    if (job !== undefined) settle(job)
    this.#watchFirst()
  }

  /** The thread is lost: the job it had fails, the others go to a new one. */
  #restart(error: XllmError): void {
    this.#thread?.terminate()
    this.#startThread()
    for (const job of this.#jobs.slice(1)) this.#post(job)
    this.#finish((job) => job.reject(error))
  }
}
