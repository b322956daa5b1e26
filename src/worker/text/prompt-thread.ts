/**
 * The thread that turns requests into tokens, beside the one that decodes: a long or hostile template costs running
 * streams nothing, and the thread can be ended while it runs.
 */
import type { ChatRequest, CompletionRequest, GenerationRequest } from "../../domain"
import { asXllmError, InvalidRequest, TemplateFailed } from "../../errors"
import { Library } from "../../llama/library"
import { Vocabulary } from "../../llama/vocabulary"
import { layOutGap } from "../../prompt/fim"
import type { PromptPiece } from "../../prompt/piece"
import { type ChatTemplate, compileChatTemplate } from "../../prompt/template"
import { refuseHopeless } from "../../protocol/least-tokens"
import type {
  BuildPrompt,
  BuiltPrompt,
  FromPromptThread,
  PromptThreadSetup,
  ToPromptThread,
} from "./prompt-messages"

declare const self: Worker

function post(message: FromPromptThread): void {
  postMessage(message)
}

const PLAIN_TEXT = { addSpecial: false, parseSpecial: false }

class PromptBuilder {
  readonly #vocabulary: Vocabulary
  readonly #contextLength: number
  readonly #templateError: string | undefined
  /** Absent: the tokenizer rewrites text before it cuts it. */
  readonly longestTokenBytes: number | undefined
  readonly template: ChatTemplate

  constructor(setup: PromptThreadSetup) {
    const vocabulary = Vocabulary.fromShare(Library.share(setup.files), setup.vocabulary)
    this.#vocabulary = vocabulary
    this.#contextLength = setup.contextLength
    this.#templateError = setup.templateError
    this.longestTokenBytes = vocabulary.keepsEveryByte() ? vocabulary.longestTokenBytes() : undefined
    this.template = compileChatTemplate({
      source: setup.chatTemplate,
      isChosen: setup.isTemplateChosen,
      bosToken: this.#text(vocabulary.bos),
      eosToken: this.#text(vocabulary.eos),
      controlTexts: vocabulary.controlTexts(),
    })
  }

  build({ id, request }: BuildPrompt): BuiltPrompt {
    refuseHopeless(request, {
      contextLength: this.#contextLength,
      longestTokenBytes: this.longestTokenBytes,
    })
    const pieces = request.kind === "chat" ? this.#render(request) : undefined
    post({ type: "rendered", id })
    const logitBias = this.#resolveBias(request)
    if (pieces !== undefined) return { ...this.#tokenize(pieces), logitBias }
    return { ...this.#completion(request as CompletionRequest), logitBias }
  }

  #render(request: ChatRequest): readonly PromptPiece[] {
    if (this.#templateError !== undefined) throw new TemplateFailed(this.#templateError)
    return this.template.render(request).pieces
  }

  #completion(request: CompletionRequest): Omit<BuiltPrompt, "logitBias"> {
    if (request.suffix !== undefined) return this.#fill(request.prompt, request.suffix)
    if (typeof request.prompt === "string") return this.#tokenize([{ text: request.prompt, special: true }])
    return { text: this.#detokenize(request.prompt), tokens: this.#checked(request.prompt) }
  }

  #fill(prompt: CompletionRequest["prompt"], suffix: string): Omit<BuiltPrompt, "logitBias"> {
    const pieces = layOutGap({ prompt, suffix }, this.#vocabulary.fillInTheMiddle)
    const start = this.#vocabulary.addsBos ? [this.#vocabulary.bos] : []
    const ids = pieces.flatMap((piece) =>
      piece.type === "tokens" ? piece.ids : Array.from(this.#vocabulary.tokenize(piece.text, PLAIN_TEXT)),
    )
    const tokens = this.#checked([...start, ...ids])
    return { text: this.#detokenize(Array.from(tokens)), tokens }
  }

  #checked(ids: readonly number[]): Int32Array {
    const bad = ids.find((id) => id >= this.#vocabulary.size)
    if (bad !== undefined)
      throw new InvalidRequest(
        `prompt: token ids must be below ${this.#vocabulary.size}, the size of the vocabulary, got ${bad}`,
        "prompt",
      )
    return Int32Array.from(ids)
  }

  #detokenize(ids: readonly number[]): string {
    return new TextDecoder().decode(
      Buffer.concat(Array.from(this.#checked(ids), (id) => this.#vocabulary.bytes(id))),
    )
  }

  #tokenize(pieces: readonly PromptPiece[]): Omit<BuiltPrompt, "logitBias"> {
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

  #resolveBias(request: GenerationRequest): BuiltPrompt["logitBias"] {
    return (request.sampling.logitBias ?? []).flatMap(([key, bias]) => {
      const ids =
        typeof key === "number"
          ? [key]
          : Array.from(this.#vocabulary.tokenize(key, { addSpecial: false, parseSpecial: true }))
      return ids.map((id) => [id, bias] as const)
    })
  }

  #text(token: number): string {
    return new TextDecoder().decode(this.#vocabulary.bytes(token))
  }
}

let builder: PromptBuilder | undefined

function handle(message: ToPromptThread): void {
  if (message.type === "setup") {
    builder = new PromptBuilder(message)
    const { longestTokenBytes, template } = builder
    const { origin, fallbackReason } = template
    post({
      type: "ready",
      templateOrigin: origin,
      ...(longestTokenBytes !== undefined && { longestTokenBytes }),
      ...(fallbackReason !== undefined && { fallbackReason }),
    })
    return
  }
  try {
    if (builder === undefined) throw new Error("the prompt thread is not set up")
    post({ type: "built", id: message.id, prompt: builder.build(message) })
  } catch (error) {
    post({ type: "failed", id: message.id, error: asXllmError(error).toWire() })
  }
}

self.onmessage = (event: MessageEvent<ToPromptThread>) => handle(event.data)
