import type { GenerationRequest } from "../../../domain/chat"
import { fromWire, InternalError, type XllmError } from "../../../errors/base"
import { TemplateFailed } from "../../../errors/engine"
import { InvalidRequest } from "../../../errors/request"
import { formatSeconds } from "../../../lib/text/duration"
import type { WireRendered, WireRequest } from "../../../protocol/wire"
import type { MediaUnits } from "./prompt-builder"
import type { PreparedRequest } from "./prepared"
import type { FromPromptThread, PromptThreadSetup, Purpose, ToPromptThread } from "./prompt-messages"

type Answer = Extract<FromPromptThread, { type: "prepared" | "rendered" }>

interface Job {
  readonly id: number
  readonly purpose: Purpose
  readonly request: WireRequest<GenerationRequest>
  readonly media: MediaUnits
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: XllmError) => void
  /** The caller no longer waits for it. */
  isForgotten: boolean
  /** The thread compiles its grammar, rather than applying the template. */
  isCompiling: boolean
}

/** Grace period after a template's time limit before it is considered stuck, in ms. */
const SECOND_LOOK_MS = 10

/** A request being prepared. */
export interface Preparation {
  /** @throws ContextLengthExceeded, TemplateFailed, InvalidRequest, Unsupported */
  readonly prepared: Promise<PreparedRequest>
  /** Cancels: the job is skipped if it has not begun, and the promise never settles. */
  forget(): void
}

/**
 * Prepares requests on a separate thread, one after another; terminates the thread if a template exceeds its
 * time limit.
 */
export class PromptClient {
  #setup: Omit<PromptThreadSetup, "type">
  readonly #templateTimeoutMs: number
  /** The thread is working on the first one. */
  #jobs: Job[] = []
  #thread: Worker | undefined
  /** Not used yet. */
  #fresh: Worker | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #ready: PromiseWithResolvers<Extract<FromPromptThread, { type: "ready" }>> = Promise.withResolvers()
  #nextId = 0
  /** Called with a prepared request that is no longer wanted. */
  onDropped: (request: PreparedRequest) => void = () => {}

  /** `thread`: one from {@link newThread} that has already started. */
  constructor(setup: Omit<PromptThreadSetup, "type">, templateTimeoutMs: number, thread: Worker) {
    this.#setup = setup
    this.#fresh = thread
    this.#templateTimeoutMs = templateTimeoutMs
  }

  /** Starts the thread, compiles the template and tests it. */
  start(): Promise<Extract<FromPromptThread, { type: "ready" }>> {
    this.#startThread()
    this.#timer = setTimeout(() => this.#giveUpTemplate(), this.#templateTimeoutMs)
    return this.#ready.promise
  }

  /** A template that hangs even in its test would block every restart of the thread. */
  #giveUpTemplate(): void {
    this.#thread?.terminate()
    this.#setup = { ...this.#setup, chatTemplate: null, templateError: this.#tooSlow() }
    this.#startThread()
  }

  /** `media`: what stands in the prompt for each picture or sound of the request. */
  prepare(request: WireRequest<GenerationRequest>, media: MediaUnits = []): Preparation {
    const { job, answer } = this.#begin("generate", request, media)
    const prepared = answer.then((message) => {
      if (message.type === "prepared") return message.request
      throw new InternalError("a request was shown that was to be prepared")
    })
    return { prepared, forget: () => this.#forget(job) }
  }

  /** Renders a request's prompt and parameters for inspection. @throws as a preparation */
  async render(request: WireRequest<GenerationRequest>, media: MediaUnits = []): Promise<WireRendered> {
    const message = await this.#begin("render", request, media).answer
    if (message.type === "rendered") return message.result
    throw new InternalError("a request was prepared that was to be shown")
  }

  #begin(
    purpose: Purpose,
    request: WireRequest<GenerationRequest>,
    media: MediaUnits,
  ): { readonly job: Job; readonly answer: Promise<Answer> } {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const job: Job = {
      id: this.#nextId++,
      purpose,
      request,
      media,
      resolve,
      reject,
      isForgotten: false,
      isCompiling: false,
    }
    this.#jobs.push(job)
    // Sent at once, not when it becomes first: between two steps this thread then receives all results
    // available by then.
    this.#post(job)
    if (this.#jobs.length === 1) this.#watchFirst()
    return { job, answer: promise }
  }

  #startThread(): void {
    const thread = this.#fresh ?? newThread()
    this.#fresh = undefined
    // Messages from a terminated thread must not reach its successor's jobs.
    const ifCurrent = (action: () => void): void => {
      if (thread === this.#thread) action()
    }
    thread.onmessage = (event: MessageEvent<FromPromptThread>) => ifCurrent(() => this.#handle(event.data))
    thread.onerror = ({ message }) =>
      ifCurrent(() => this.#restart(new InternalError(`the prompt thread failed: ${message}`)))
    this.#thread = thread
    this.#send({ type: "setup", ...this.#setup })
  }

  #post({ id, purpose, request, media }: Job): void {
    this.#send({ type: "prepare", id, purpose, request, media })
  }

  #send(message: ToPromptThread): void {
    this.#thread?.postMessage(message)
  }

  #watchFirst(): void {
    if (this.#jobs.length === 0) return
    this.#after(this.#templateTimeoutMs, () => {
      // A decode step may have blocked this thread past the limit; handle messages that arrived meanwhile
      // first.
      this.#after(SECOND_LOOK_MS, () => this.#restart(this.#tooSlowError()))
    })
  }

  #after(ms: number, action: () => void): void {
    this.#timer = setTimeout(action, ms)
  }

  #tooSlowError(): XllmError {
    if (this.#jobs[0]?.isCompiling !== true) return new TemplateFailed(this.#tooSlow())
    const limit = formatSeconds(this.#templateTimeoutMs)
    return new InvalidRequest(
      `the schema or grammar takes longer than ${limit} to compile; use a smaller one`,
    )
  }

  #tooSlow(): string {
    return `it took longer than ${formatSeconds(this.#templateTimeoutMs)}`
  }

  #handle(message: FromPromptThread): void {
    switch (message.type) {
      case "ready":
        return this.#becomeReady(message)
      case "templated":
        return clearTimeout(this.#timer)
      case "compiling":
        return this.#compiling(message.id, true)
      case "compiled":
        return this.#compiling(message.id, false)
      case "prepared":
        if (this.#isWanted(message.id)) return this.#finish(message.id, (job) => job.resolve(message))
        this.#finish(message.id, () => {})
        return this.onDropped(message.request)
      case "rendered":
        return this.#finish(message.id, (job) => job.resolve(message))
      case "failed":
        return this.#finish(message.id, (job) => job.reject(fromWire(message.error)))
      case "forgotten":
        return this.#finish(message.id, () => {})
      default:
        message satisfies never
    }
  }

  #isWanted(id: number): boolean {
    return this.#jobs.some((job) => job.id === id && !job.isForgotten)
  }

  #compiling(id: number, isCompiling: boolean): void {
    const job = this.#jobs.find((each) => each.id === id)
    if (job !== undefined) job.isCompiling = isCompiling
  }

  #becomeReady(message: Extract<FromPromptThread, { type: "ready" }>): void {
    if (this.#jobs.length === 0) clearTimeout(this.#timer)
    this.#ready.resolve(message)
  }

  /** Jobs finish in order, except for those forgotten before they began. */
  #finish(id: number, settle: (job: Job) => void): void {
    const job = this.#jobs.find((each) => each.id === id)
    if (job === undefined) return
    const wasFirst = job === this.#jobs[0]
    this.#jobs = this.#jobs.filter((each) => each !== job)
    if (!job.isForgotten) settle(job)
    if (!wasFirst) return
    clearTimeout(this.#timer)
    this.#watchFirst()
  }

  /** The thread may be working on it, so its completion is awaited as for any other job. */
  #forget(job: Job): void {
    job.isForgotten = true
    this.#send({ type: "forget", id: job.id })
  }

  /** Replaces the thread: its current job fails, the others move to a new thread. */
  #restart(error: XllmError): void {
    this.#thread?.terminate()
    this.#startThread()
    const [lost, ...rest] = this.#jobs
    this.#jobs = [...(lost === undefined ? [] : [lost]), ...rest.filter((job) => !job.isForgotten)]
    for (const job of this.#jobs.slice(1)) this.#post(job)
    if (lost !== undefined) this.#finish(lost.id, (job) => job.reject(error))
  }
}

/** Starts a thread, which takes a tenth of a second: beside the load of a model, that costs nothing. */
export function newThread(): Worker {
  return new Worker(new URL("./prompt-thread.ts", import.meta.url).href)
}
