import type { GenerationEvent } from "../../domain/chat"
import type { WorkRequest } from "../../domain/tasks"
import { asXllmError, InternalError, type XllmError } from "../../errors/base"

/** Longer texts are no names, and no line of a log. */
const LONGEST_NAME = 512

/** One request and its response: what is known of them for the log and the metrics. */
export class RequestContext {
  /** Names the request in headers, log lines and the engine. */
  readonly id: string
  readonly method: string
  /** Without the query, which may hold what no log should. */
  readonly path: string
  readonly #startedAt = performance.now()
  readonly #over: (requestContext: RequestContext) => void
  #status: number | undefined
  #isStream = false
  #isSent = false
  #error: XllmError | undefined
  #named: string | undefined
  #found: string | undefined
  #answers: { readonly model: string | undefined } | undefined
  #requests: readonly WorkRequest[] = []
  #promptTokens = 0
  #generatedTokens = 0
  #answer: string[] | undefined
  #amounts: Amounts | undefined
  #afterwards: (() => unknown)[] = []

  /** `over` is called once: when the whole response has been made. */
  constructor(request: Request, id: string, over: (requestContext: RequestContext) => void) {
    this.id = id
    this.method = request.method
    this.path = pathOf(request)
    this.#over = over
  }

  /** The status that the client saw; 0 before it has. */
  get status(): number {
    return this.#status ?? 0
  }

  /** How it ended: as {@link status}, unless a stream failed after it began. */
  get outcome(): number {
    return this.#error?.status ?? this.status
  }

  /** Does the response go on after its head? */
  get isStream(): boolean {
    return this.#isStream
  }

  /** Milliseconds since the request came. */
  get elapsedMs(): number {
    return performance.now() - this.#startedAt
  }

  get error(): XllmError | undefined {
    return this.#error
  }

  /** What the engine calls the model that was asked; undefined where no model was found. */
  get model(): string | undefined {
    return this.#found ?? this.#answers?.model
  }

  /** What the request calls the model, as it came: there may be none of that name. */
  get named(): string | undefined {
    return this.#named
  }

  /** What it was asked. Their content is nobody's business unless {@link answer} is kept too. */
  get requests(): readonly WorkRequest[] {
    return this.#requests
  }

  /** Tokens of the prompts that were accepted so far. */
  get promptTokens(): number {
    return this.#promptTokens
  }

  /** Tokens generated so far. */
  get generatedTokens(): number {
    return this.#generatedTokens
  }

  /** The text of all answers, where it is kept. */
  get answer(): string | undefined {
    return this.#answer?.join("")
  }

  /** What the answer of a voice, a recogniser or a painter amounts to, once it is complete. */
  get amounts(): Amounts | undefined {
    return this.#amounts
  }

  /** The request names a model, if `model` can be the name of one. */
  names(model: unknown): void {
    if (typeof model === "string" && model.length <= LONGEST_NAME) this.#named = model
  }

  /** What the engine calls the model that the request names. */
  found(model: string): void {
    this.#found = model
  }

  /** The request is one for a model. `keepContent`: the log is to have what is asked and answered. */
  asks(requests: readonly WorkRequest[], keepContent: boolean): void {
    this.#requests = requests
    if (keepContent) this.#answer = []
  }

  /** The engine's answer, or one of several of one model, which tells whose it is. Returns it. */
  follows<A extends { readonly model: string | undefined }>(answer: A): A {
    this.#answers = answer
    return answer
  }

  /** Counts what an answer consists of; called for every token, so it does as little as possible. */
  observe(event: GenerationEvent): void {
    if (event.type === "text") {
      this.#generatedTokens += event.tokens
      this.says(event.text)
    } else if (event.type === "prompt") {
      this.#promptTokens += event.tokens
    }
  }

  /** More of the answer's text, which is kept where content is. */
  says(text: string): void {
    this.#answer?.push(text)
  }

  /** The answer is complete, and this much. */
  measured(amounts: Amounts): void {
    this.#amounts = amounts
  }

  /** Has `task` done when nothing more is sent, however the exchange ends. What it fails with is nobody's error. */
  afterwards(task: () => unknown): void {
    this.#afterwards.push(task)
  }

  /** The request failed. Returns what the client is told: of a defect only where the log has more. */
  failed(error: unknown): XllmError {
    const known = asXllmError(error)
    const isDefect = known.code === "internal_error" && known.cause !== undefined
    this.#error = known
    return isDefect
      ? new InternalError(`internal error; the server's log has more under request ID ${this.id}`)
      : known
  }

  /** The response goes on after {@link answered}, until {@link sent}. */
  streams(): void {
    this.#isStream = true
  }

  /** The response's head has been made, and all of it where it is no stream. */
  answered(status: number): void {
    this.#status = status
    if (!this.#isStream || this.#isSent) this.#end()
  }

  /** A stream has ended; a short one may do so before its response is {@link answered}. */
  sent(): void {
    this.#isSent = true
    if (this.#status !== undefined) this.#end()
  }

  #end(): void {
    this.#over(this)
    for (const task of this.#afterwards.splice(0)) void Promise.try(task).catch(() => {})
  }
}

/** How much an answer is, by what is counted. */
export type Amounts = Readonly<Record<string, number>>

/**
 * A map, not a value that Elysia derives: what wraps the app has no context of Elysia's, and requests that are refused
 * before they find a route get no derived values, so errors could not be counted.
 */
const exchanges = new WeakMap<Request, RequestContext>()

/** Makes `exchange` the one that {@link requestContextOf} finds. */
export function remember(request: Request, requestContext: RequestContext): void {
  exchanges.set(request, requestContext)
}

/** The exchange that a request belongs to. */
export function requestContextOf(request: Request): RequestContext {
  const requestContext = exchanges.get(request)
  if (requestContext === undefined)
    throw new InternalError("the request did not come through the server's door")
  return requestContext
}

/** The path of a request as the router reads it. Without a valid Host a URL is the path alone. */
export function pathOf({ url }: Request): string {
  return /^(?:\w+:\/\/[^/?#]*)?([^?]*)/.exec(url)?.[1] ?? ""
}
