import type { GenerationEvent } from "../../domain/chat"
import { isGenerationRequest, type WorkRequest } from "../../domain/tasks"
import { asXllmError, InternalError, type XllmError } from "../../errors/base"

/** Longer texts cannot be model names and do not belong in a log line. */
const LONGEST_NAME = 512

/** One request and its response, with the facts that the log and the metrics need. */
export class RequestContext {
  /** Identifies the request in headers, log lines and the engine. */
  readonly id: string
  readonly method: string
  /** Without the query, which may contain secrets. */
  readonly path: string
  /** Who sent it: the same for the same API key. Empty: the server has no keys. */
  owner = ""
  /** Whose cached prompts it may use; undefined: those of all. */
  cacheOwner: string | undefined
  readonly #startedAt = performance.now()
  readonly #over: (requestContext: RequestContext) => void
  #status: number | undefined
  #isStream = false
  #isSent = false
  #error: XllmError | undefined
  #recovered: XllmError | undefined
  #named: string | undefined
  #found: string | undefined
  #answers: { readonly model: string | undefined } | undefined
  #requests: readonly WorkRequest[] = []
  #promptTokens = 0
  #generatedTokens = 0
  #answer: string[] | undefined
  #amounts: Amounts | undefined
  #afterwards: (() => unknown)[] = []
  #stops: (() => void)[] = []

  /** `over` is called once, when the whole response has been produced. */
  constructor(request: Request, id: string, over: (requestContext: RequestContext) => void) {
    this.id = id
    this.method = request.method
    this.path = pathOf(request)
    this.#over = over
  }

  /** The status that was sent to the client; 0 before that. */
  get status(): number {
    return this.#status ?? 0
  }

  /** The final status: {@link status}, unless a stream failed after it began. */
  get outcome(): number {
    return this.#error?.status ?? this.status
  }

  /** Does the response continue after its headers? */
  get isStream(): boolean {
    return this.#isStream
  }

  /** Milliseconds since the request arrived. */
  get elapsedMs(): number {
    return performance.now() - this.#startedAt
  }

  get error(): XllmError | undefined {
    return this.#error
  }

  /** A failure in spite of which the request was answered, such as a full disk. */
  get recoveredError(): XllmError | undefined {
    return this.#recovered
  }

  /** The engine's name for the requested model; undefined if no model was found. */
  get model(): string | undefined {
    return this.#found ?? this.#answers?.model
  }

  /** The model name as sent by the client; no such model need exist. */
  get named(): string | undefined {
    return this.#named
  }

  /** The engine requests. Their content must not be logged unless {@link answer} is kept too. */
  get requests(): readonly WorkRequest[] {
    return this.#requests
  }

  /** Tokens of the prompts that have been accepted so far. */
  get promptTokens(): number {
    return this.#promptTokens
  }

  get generatedTokens(): number {
    return this.#generatedTokens
  }

  /** How far a generation is; other work is only running. */
  get phase(): "waiting" | "prompt" | "generating" | "running" {
    if (!this.#requests.some(isGenerationRequest)) return "running"
    if (this.#generatedTokens > 0) return "generating"
    return this.#promptTokens > 0 ? "prompt" : "waiting"
  }

  /** The text of all answers, if content is logged. */
  get answer(): string | undefined {
    return this.#answer?.join("")
  }

  /** The size of a speech, transcription or image answer, once it is complete. */
  get amounts(): Amounts | undefined {
    return this.#amounts
  }

  /** Records the model that the request names, if `model` can be a model name. */
  logModelName(model: unknown): void {
    if (typeof model === "string" && model.length <= LONGEST_NAME) this.#named = model
  }

  /** Records the engine's name for the requested model. */
  found(model: string): void {
    this.#found = model
  }

  /** Records the requests sent to the engine. `keepContent`: log prompts and answers. */
  logRequests(requests: readonly WorkRequest[], keepContent: boolean): void {
    this.#requests = requests
    if (keepContent) this.#answer = []
  }

  /**
   * Takes the model's name from the engine's answer, or from one of several answers of one model. Returns the answer.
   */
  takeModelFrom<A extends { readonly model: string | undefined }>(answer: A): A {
    this.#answers = answer
    return answer
  }

  /** Counts the tokens of an answer. Called for every token, so it does as little as possible. */
  observe(event: GenerationEvent): void {
    if (event.type === "delta") {
      this.#generatedTokens += event.tokens
      // Thinking is no part of the answer; a call is, with its arguments.
      if (event.part !== "reasoning") this.logText(event.text)
    } else if (event.type === "part-start") {
      if (event.part === "tool-call") this.logText(`[${event.name}] `)
    } else if (event.type === "prompt") {
      this.#promptTokens += event.tokens
    }
  }

  /** Appends to the answer's text, if content is logged. */
  logText(text: string): void {
    this.#answer?.push(text)
  }

  /** Records the size of the complete answer. */
  measured(amounts: Amounts): void {
    this.#amounts = amounts
  }

  /** Runs `task` after the response is finished, however it ends; its errors are ignored. */
  afterwards(task: () => unknown): void {
    this.#afterwards.push(task)
  }

  /** `stop`: ends the work for this request. */
  whenStopped(stop: () => void): void {
    this.#stops.push(stop)
  }

  /** Ends the work for this request, as its client did not ask for. Returns false where nothing can be ended. */
  stop(): boolean {
    const stops = this.#stops.splice(0)
    for (const stop of stops) stop()
    return stops.length > 0
  }

  /** Records a failure. Returns the error to send to the client; details of internal errors go to the log only. */
  failed(error: unknown): XllmError {
    const known = asXllmError(error)
    const isDefect = known.code === "internal_error" && known.cause !== undefined
    this.#error = known
    return isDefect
      ? new InternalError(`internal error; the server's log has more under request ID ${this.id}`)
      : known
  }

  /** Records a failure that the answer makes up for. */
  recovered(error: XllmError): void {
    this.#recovered = error
  }

  /** The response continues after {@link answered}, until {@link sent}. */
  streams(): void {
    this.#isStream = true
  }

  /** The response's headers are ready, and its whole body unless it is a stream. */
  answered(status: number): void {
    this.#status = status
    if (!this.#isStream || this.#isSent) this.#end()
  }

  /** A stream has ended. A short one may end before {@link answered} is called. */
  sent(): void {
    this.#isSent = true
    if (this.#status !== undefined) this.#end()
  }

  #end(): void {
    this.#over(this)
    for (const task of this.#afterwards.splice(0)) void Promise.try(task).catch(() => {})
  }
}

/** The size of an answer by unit, such as seconds or images. */
export type Amounts = Readonly<Record<string, number>>

/**
 * A map instead of a value derived by Elysia: functions that wrap the app have no Elysia context, and requests
 * refused before routing get no derived values, so their errors could not be counted.
 */
const contexts = new WeakMap<Request, RequestContext>()

/** Associates the context with its request, for {@link requestContextOf}. */
export function remember(request: Request, requestContext: RequestContext): void {
  contexts.set(request, requestContext)
}

/** The context of a request. */
export function requestContextOf(request: Request): RequestContext {
  const requestContext = contexts.get(request)
  if (requestContext === undefined)
    throw new InternalError("no RequestContext for this request: is the plugin missing?")
  return requestContext
}

/** The path of a request as the router reads it. Without a valid Host the URL consists of the path only. */
export function pathOf({ url }: Request): string {
  return /^(?:\w+:\/\/[^/?#]*)?([^?]*)/.exec(url)?.[1] ?? ""
}
