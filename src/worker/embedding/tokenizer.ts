import type { TokensRequest, TokensResult } from "../../domain/tokens"
import { asXllmError, fromWire, InternalError, type XllmError } from "../../errors/base"
import type { LibraryFiles } from "../../llama/library"
import type { TokenizeOptions, VocabularyShare } from "../../llama/vocabulary"
import type { FromWorker } from "../../protocol/messages"
import type { FromTokenThread, ToTokenThread } from "./token-messages"

/** Texts of one message to the thread, in characters: later ones of another request come in between. */
const PART_CHARACTERS = 64 * 1024

type Result = Exclude<FromTokenThread, { type: "failed" }>
type ToAnswer = Exclude<ToTokenThread, { type: "setup" }>

/** Tokenizes on a separate thread, which starts with the first use. */
export class Tokenizer {
  readonly #setup: Omit<Extract<ToTokenThread, { type: "setup" }>, "type">
  readonly #open = new Map<number, PromiseWithResolvers<Result>>()
  #thread: Worker | undefined
  #nextId = 0

  constructor(files: LibraryFiles, vocabulary: VocabularyShare) {
    this.#setup = { files, vocabulary }
  }

  /**
   * The tokens of each text. Requests take turns.
   * @param wanted asked between parts; once false, the result is empty
   */
  async tokenize(
    texts: readonly string[],
    options: TokenizeOptions,
    wanted: () => boolean = () => true,
  ): Promise<readonly Int32Array[]> {
    const all: Int32Array[] = []
    for (const part of partsOf(texts)) {
      if (!wanted()) return []
      for (const tokens of await this.#tokenize(part, options)) all.push(tokens)
    }
    return all
  }

  async #tokenize(texts: readonly string[], options: TokenizeOptions): Promise<readonly Int32Array[]> {
    const result = await this.#ask((id) => ({ type: "tokenize", id, texts, options }))
    return result.type === "tokenized" ? divided(result.tokens, result.lengths) : []
  }

  /** @throws InvalidRequest for tokens that do not exist */
  async tell(request: TokensRequest): Promise<TokensResult> {
    const result = await this.#ask((id) => ({ type: "ask", id, request }))
    return result.type === "told" ? result.result : { tokens: result.tokens }
  }

  #ask(message: (id: number) => ToAnswer): Promise<Result> {
    const open = Promise.withResolvers<Result>()
    const id = this.#nextId++
    this.#open.set(id, open)
    this.#thread ??= this.#start()
    this.#send(message(id))
    return open.promise
  }

  #start(): Worker {
    const thread = new Worker(new URL("./token-thread.ts", import.meta.url).href)
    thread.onmessage = ({ data: message }: MessageEvent<FromTokenThread>) => {
      if (message.type === "failed") this.#take(message.id)?.reject(fromWire(message.error))
      else this.#take(message.id)?.resolve(message)
    }
    thread.onerror = ({ message }) => this.#fail(new InternalError(`the token thread failed: ${message}`))
    this.#thread = thread
    this.#send({ type: "setup", ...this.#setup })
    return thread
  }

  #send(message: ToTokenThread): void {
    this.#thread?.postMessage(message)
  }

  #take(id: number): PromiseWithResolvers<Result> | undefined {
    const part = this.#open.get(id)
    this.#open.delete(id)
    return part
  }

  /** The next use starts another thread. */
  #fail(error: XllmError): void {
    this.#thread?.terminate()
    this.#thread = undefined
    for (const id of [...this.#open.keys()]) this.#take(id)?.reject(error)
  }
}

/** The reply to a worker's message about tokens. */
export async function answerAboutTokens(
  tokenizer: Tokenizer,
  id: number,
  request: TokensRequest,
): Promise<Extract<FromWorker<never>, { readonly type: "tokens" | "render-failed" }>> {
  try {
    return { type: "tokens", id, result: await tokenizer.tell(request) }
  } catch (error) {
    return { type: "render-failed", id, error: asXllmError(error).toWire() }
  }
}

function* partsOf(texts: readonly string[]): Generator<readonly string[]> {
  let part: string[] = []
  let characters = 0
  for (const text of texts) {
    part.push(text)
    characters += text.length
    if (characters < PART_CHARACTERS) continue
    yield part
    part = []
    characters = 0
  }
  if (part.length > 0) yield part
}

function divided(tokens: Int32Array, lengths: Int32Array): readonly Int32Array[] {
  let at = 0
  return Array.from(lengths, (length) => tokens.subarray(at, (at += length)))
}
