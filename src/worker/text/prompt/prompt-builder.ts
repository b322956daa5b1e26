import type { ChatRequest, CompletionRequest, GenerationRequest } from "../../../domain/chat"
import { TemplateFailed } from "../../../errors/engine"
import { InvalidRequest } from "../../../errors/request"
import type { Vocabulary } from "../../../llama/vocabulary"
import { renderFim } from "../../../prompt/fim"
import type { PromptPiece } from "../../../prompt/piece"
import { type ChatTemplate, compileChatTemplate } from "../../../prompt/template"
import { refuseHopelessText, refuseLongText } from "../../../protocol/least-tokens"
import type { PromptThreadSetup } from "./prompt-messages"

const PLAIN_TEXT = { addSpecial: false, parseSpecial: false }

/** A request's prompt as the model takes it. */
export interface Prompt {
  readonly text: string
  readonly tokens: Int32Array
}

/** Turns what a request says into tokens. */
export class PromptBuilder {
  readonly #vocabulary: Vocabulary
  readonly #contextLength: number
  readonly #templateError: string | undefined
  /** Absent: the tokenizer rewrites text before it cuts it. */
  readonly longestTokenBytes: number | undefined
  readonly template: ChatTemplate

  constructor(vocabulary: Vocabulary, setup: PromptThreadSetup) {
    this.#vocabulary = vocabulary
    this.#contextLength = setup.contextLength
    this.#templateError = setup.templateError
    this.longestTokenBytes = vocabulary.keepsEveryByte() ? vocabulary.longestTokenBytes() : undefined
    this.template = compileChatTemplate({
      source: setup.chatTemplate,
      isChosen: setup.isTemplateChosen,
      bosToken: this.#text(vocabulary.bos),
      eosToken: this.#text(vocabulary.eos),
      specialTokens: vocabulary.specialTokens(),
      ...(setup.architecture !== undefined && { architecture: setup.architecture }),
    })
  }

  /**
   * `templated` is called when the template has been applied.
   * @throws ContextLengthExceeded, TemplateFailed, InvalidRequest, Unsupported
   */
  build(request: GenerationRequest, templated: () => void): Prompt {
    this.#refuseUnknown("stop_token_ids", request.stopTokens ?? [])
    const capacity = { contextLength: this.#contextLength, longestTokenBytes: this.longestTokenBytes }
    refuseHopelessText(request, capacity)
    const pieces = request.kind === "chat" ? this.#render(request) : undefined
    templated()
    if (pieces === undefined) return this.#completion(request as CompletionRequest)
    // Where the template has kept what it could have left out: tokenizing many megabytes takes as many seconds.
    const length = pieces.reduce((sum, { text }) => sum + text.length, 0)
    refuseLongText(length, capacity, textField(request))
    return this.#tokenize(pieces)
  }

  #render(request: ChatRequest): readonly PromptPiece[] {
    if (this.#templateError !== undefined) throw new TemplateFailed(this.#templateError)
    return this.template.render(request).pieces
  }

  #completion(request: CompletionRequest): Prompt {
    if (request.suffix !== undefined) return this.#fill(request.prompt, request.suffix)
    if (request.keepLast !== undefined)
      return this.#lastOf(request, this.#mostTokens(request, request.keepLast))
    if (typeof request.prompt === "string") return this.#tokenize([{ text: request.prompt, special: true }])
    return { text: this.#detokenize(request.prompt), tokens: this.#checked(request.prompt) }
  }

  /** How many tokens of a prompt count, of which the last `keepLast` are wanted. */
  #mostTokens({ maxTokens = 0 }: CompletionRequest, keepLast: number): number {
    if (keepLast > 0) return keepLast
    // An answer without a limit, or one beyond the context, takes what room there is.
    return maxTokens < this.#contextLength ? this.#contextLength - maxTokens : this.#contextLength
  }

  /** The last `count` tokens of the prompt; a BOS that the model wants stays before them, and is one of them. */
  #lastOf({ prompt }: CompletionRequest, count: number): Prompt {
    if (typeof prompt !== "string") {
      const ids = prompt.slice(-count)
      return { text: this.#detokenize(ids), tokens: this.#checked(ids) }
    }
    // So much has as many tokens or more: what stands before it need not be tokenised.
    const text = prompt
      .slice(-Math.min(prompt.length, count * (this.longestTokenBytes ?? Number.POSITIVE_INFINITY)))
      .toWellFormed()
    const whole = this.#tokenize([{ text, special: true }])
    if (whole.tokens.length <= count) return whole
    const start = this.#vocabulary.addsBos ? whole.tokens.subarray(0, 1) : whole.tokens.subarray(0, 0)
    const end = whole.tokens.subarray(whole.tokens.length - (count - start.length))
    return { text: this.#detokenize(Array.from(end)), tokens: Int32Array.from([...start, ...end]) }
  }

  #fill(prompt: CompletionRequest["prompt"], suffix: string): Prompt {
    const pieces = renderFim({ prompt, suffix }, this.#vocabulary.fillInTheMiddle)
    const start = this.#vocabulary.addsBos ? [this.#vocabulary.bos] : []
    const ids = pieces.flatMap((piece) =>
      piece.type === "tokens" ? piece.ids : Array.from(this.#vocabulary.tokenize(piece.text, PLAIN_TEXT)),
    )
    const tokens = this.#checked([...start, ...ids])
    return { text: this.#detokenize(Array.from(tokens)), tokens }
  }

  #checked(ids: readonly number[]): Int32Array {
    this.#refuseUnknown("prompt", ids)
    return Int32Array.from(ids)
  }

  /** @throws InvalidRequest where `field` has ids that are no tokens */
  #refuseUnknown(field: string, ids: readonly number[]): void {
    const bad = ids.find((id) => id >= this.#vocabulary.size)
    if (bad !== undefined)
      throw new InvalidRequest(
        `${field}: token ids must be below ${this.#vocabulary.size}, the size of the vocabulary, got ${bad}`,
        field,
      )
  }

  #detokenize(ids: readonly number[]): string {
    return new TextDecoder().decode(
      Buffer.concat(Array.from(this.#checked(ids), (id) => this.#vocabulary.bytes(id))),
    )
  }

  #tokenize(pieces: readonly PromptPiece[]): Prompt {
    const text = pieces.map((piece) => piece.text).join("")
    // A template that writes BOS itself must not get a second one.
    const hasBos = this.#vocabulary.addsBos && text.startsWith(this.#text(this.#vocabulary.bos))
    const parts = pieces.map((piece, index) =>
      this.#vocabulary.tokenize(piece.text, {
        addSpecial: index === 0 && !hasBos,
        parseSpecial: piece.special,
      }),
    )
    const tokens = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0))
    let at = 0
    for (const part of parts) {
      tokens.set(part, at)
      at += part.length
    }
    return { text, tokens }
  }

  #text(token: number): string {
    return new TextDecoder().decode(this.#vocabulary.bytes(token))
  }
}

/** The field of a request that its prompt comes from, as clients know it. */
export function textField(request: GenerationRequest): "messages" | "prompt" {
  return request.kind === "chat" ? "messages" : "prompt"
}
