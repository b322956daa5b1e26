import type { EmbeddingEvent, Pooling } from "../../domain/embedding"
import type { StepUsage } from "../../domain/loaded-model"
import type { XllmError } from "../../errors/base"
import { DecodeFailed, NotNumbers } from "../../errors/engine"
import { type ContextHolder, FIRST_TOKENS, type TextContext } from "./context-holder"
import { newPass, type Pass } from "./pass"
import { type Pack, packTexts, type QueuedText, TextQueue } from "./text-queue"
import { isFinite, normalized } from "./vectors"

/** What a loop reports. */
export interface EmbeddingOutbox {
  event(id: number, event: EmbeddingEvent): void
  error(id: number, error: XllmError): void
  /** One decode was computed. */
  decoded(usage: StepUsage): void
  /** Drops what is not sent yet. */
  drop(id: number): void
  flush(): void
}

/** A request with its tokens. */
export interface PreparedTexts {
  readonly id: number
  readonly texts: readonly Int32Array[]
  /** Absent: all. */
  readonly dimensions?: number
  /** See {@link EmbeddingRequest.norm}. */
  readonly norm?: number
  readonly queueMs: number
  readonly loadMs: number
  /** When the worker got it; `performance.now()`. */
  readonly startedAt: number
}

interface OpenRequest extends PreparedTexts {
  readonly waiting: TextQueue
  /** Texts that are not computed yet. */
  left: number
}

type OpenPack = Pack<OpenRequest>

interface RunningPack extends OpenPack {
  readonly pass: Pass
  readonly pooling: Pooling
  /** Numbers in a vector. */
  readonly width: number
}

/** Turns texts into vectors: each step is one decode over texts of all open requests. */
export class EmbedLoop {
  readonly #contexts: ContextHolder
  readonly #outbox: EmbeddingOutbox
  readonly #now: () => number
  /** In the order of their turns. */
  #requests: OpenRequest[] = []
  /** Texts of a decode that failed, which are computed one by one. */
  #suspects: OpenPack["texts"] = []
  #running: RunningPack | undefined

  constructor(contexts: ContextHolder, outbox: EmbeddingOutbox, now: () => number) {
    this.#contexts = contexts
    this.#outbox = outbox
    this.#now = now
  }

  get busy(): boolean {
    return this.#requests.length > 0
  }

  submit(prepared: PreparedTexts): void {
    const texts = prepared.texts.map((tokens, index): QueuedText => ({ index, tokens }))
    const request = { ...prepared, waiting: new TextQueue(texts), left: texts.length }
    this.#requests.push(request)
    this.#endIfDone(request)
  }

  cancel(id: number): void {
    this.#remove((request) => request.id === id)
    this.#outbox.drop(id)
  }

  /** Call when nothing has run for a while: gives memory back. */
  rest(): void {
    if (this.busy) return
    this.#running = undefined
    this.#contexts.release()
  }

  /** Computes one decode and sends the results. Returns whether there was anything to compute with. */
  step(): boolean {
    if (this.#running === undefined) {
      const longest = this.#requests.reduce((most, { waiting }) => Math.max(most, waiting.mostTokens), 0)
      const context = this.#contexts.holding(Math.max(longest, FIRST_TOKENS))
      if (context === "waits") return false
      if (context instanceof Error) this.#refuse(context)
      else this.#begin(context)
    }
    if (this.#running !== undefined) this.#compute(this.#running)
    this.#outbox.flush()
    return true
  }

  /** No context has room for the longest texts: their requests end. */
  #refuse(error: XllmError): void {
    const most = this.#contexts.tokens
    for (const request of [...this.#requests])
      if (most === 0 || request.waiting.mostTokens > most) this.#fail(request, error)
  }

  #begin(context: TextContext): void {
    const pack = this.#next(context.sequences)
    if (pack.texts.length === 0) return
    const tokens = pack.texts.map((text) => text.tokens)
    this.#running = {
      ...pack,
      pass: newPass(this.#contexts.fastest(pack.tokens, context), tokens),
      pooling: context.pooling,
      width: context.width,
    }
  }

  #compute(running: RunningPack): void {
    const { texts, tokens, pass } = running
    const result = pass.next()
    this.#contexts.decoded()
    if (result === "more") return this.#outbox.decoded({ sequences: texts.length, tokens: 0, kvCellsUsed: 0 })
    this.#running = undefined
    this.#outbox.decoded({ sequences: texts.length, tokens, kvCellsUsed: 0 })
    const vectors = result === "done" ? pass.vectors() : []
    if (result === "done" && vectors.every(isFinite)) return this.#deliver(running, vectors)
    const open = texts.filter(({ request }) => this.#requests.includes(request))
    const [only] = open
    if (texts.length > 1) this.#suspects = open
    else if (only !== undefined) this.#fail(only.request, result === "done" ? new NotNumbers() : failure())
  }

  #next(most: number): OpenPack {
    // One fault spoils the results of all texts that were computed with it.
    const [suspect, ...others] = this.#suspects
    this.#suspects = others
    if (suspect !== undefined) return { texts: [suspect], tokens: suspect.tokens.length }
    const [first, ...rest] = this.#requests
    const pack = packTexts(this.#requests, FIRST_TOKENS, most)
    if (first !== undefined) this.#requests = [...rest, first]
    return pack
  }

  #deliver({ texts, pooling, width }: RunningPack, vectors: readonly Float32Array[]): void {
    const byRequest = Map.groupBy(texts.keys(), (sequence) => texts[sequence]?.request)
    for (const [request, sequences] of byRequest) {
      if (request === undefined || !this.#requests.includes(request)) continue // it was cancelled
      const own = sequences.map((sequence) => {
        const vector = vectors[sequence] ?? new Float32Array(0)
        return pooling === "rank" || pooling === "none" ? vector : normalized(vector, request)
      })
      const indices = sequences.map((sequence) => texts[sequence]?.index ?? 0)
      if (pooling === "none")
        for (const [at, index] of indices.entries())
          this.#vectors(request, [index], own[at] ?? new Float32Array(0), width)
      else this.#vectors(request, indices, joined(own))
      request.left -= sequences.length
      this.#endIfDone(request)
    }
  }

  #vectors({ id }: OpenRequest, indices: readonly number[], values: Float32Array, tokenWidth?: number): void {
    this.#outbox.event(id, {
      type: "vectors",
      indices: Int32Array.from(indices),
      values,
      ...(tokenWidth !== undefined && { tokenWidth }),
    })
  }

  #endIfDone(request: OpenRequest): void {
    if (request.left > 0) return
    const { id, texts, queueMs, loadMs, startedAt } = request
    const inputTokens = texts.reduce((sum, { length }) => sum + length, 0)
    this.#outbox.event(id, {
      type: "done",
      usage: { inputTokens, inputs: texts.length },
      timings: { queueMs, loadMs, workMs: this.#now() - startedAt },
    })
    this.#remove((each) => each === request)
  }

  #fail(request: OpenRequest, error: XllmError): void {
    this.#outbox.error(request.id, error)
    this.#remove((each) => each === request)
  }

  #remove(isGone: (request: OpenRequest) => boolean): void {
    this.#requests = this.#requests.filter((request) => !isGone(request))
    this.#suspects = this.#suspects.filter(({ request }) => !isGone(request))
    const isWanted = this.#running?.texts.some(({ request }) => this.#requests.includes(request))
    if (isWanted === false) this.#running = undefined
  }
}

function failure(): XllmError {
  return new DecodeFailed("llama.cpp failed to compute this text, also on its own")
}

function joined(vectors: readonly Float32Array[]): Float32Array {
  const values = new Float32Array(vectors.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const vector of vectors) {
    values.set(vector, at)
    at += vector.length
  }
  return values
}
