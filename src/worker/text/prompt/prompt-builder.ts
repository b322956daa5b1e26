import type { ChatRequest, CompletionMedia, CompletionRequest, GenerationRequest } from "../../../domain/chat"
import { TemplateFailed } from "../../../errors/engine"
import { InvalidRequest, Unsupported } from "../../../errors/request"
import type { Vocabulary } from "../../../llama/vocabulary"
import type { AnswerForm } from "../../../prompt/answer-form"
import type { PromptPiece } from "../../../prompt/piece"
import {
  type ChatTemplate,
  type ChatTemplateOptions,
  compileChatTemplate,
  type RenderedChat,
} from "../../../prompt/template"
import { refuseHopelessText, refuseLongText } from "../../../protocol/least-tokens"
import { cutsMedia, layOutCells, type PromptCells, type PromptUnit } from "./cells"
import { gapTokens } from "./gap"
import { GivenTemplates } from "./given-templates"
import { lastMessageCells } from "./last-message"
import type { PromptThreadSetup } from "./prompt-messages"

/** A tokenized prompt. */
export interface Prompt extends PromptCells {
  /** Without what stands for media. */
  readonly text: string
  /** The same with it; absent: there are no media. */
  readonly shown?: string
}

/** What stands in the prompt for each picture or sound of a request. */
export type MediaUnits = readonly (readonly PromptUnit[])[]

/** Stands for a picture or sound in a prompt that is shown: llama.cpp's own mark. */
const SHOWN_MEDIA = "<__media__>"

/** Called once the template is applied. `form`: how the answer must be read; absent for completions. */
export type OnTemplated = (form: AnswerForm | undefined) => void

/** Turns a request into tokens. */
export class PromptBuilder {
  readonly #vocabulary: Vocabulary
  readonly #contextLength: number
  readonly #templateError: string | undefined
  /** Absent if the tokenizer normalizes text first. */
  readonly longestTokenBytes: number | undefined
  readonly template: ChatTemplate
  readonly #given: GivenTemplates

  constructor(vocabulary: Vocabulary, setup: PromptThreadSetup) {
    this.#vocabulary = vocabulary
    this.#contextLength = setup.contextLength
    this.#templateError = setup.templateError
    this.longestTokenBytes = vocabulary.keepsEveryByte() ? vocabulary.longestTokenBytes() : undefined
    const options: ChatTemplateOptions = {
      source: setup.chatTemplate,
      isChosen: setup.isTemplateChosen,
      bosToken: this.#text(vocabulary.bos),
      eosToken: this.#text(vocabulary.eos),
      specialTokens: vocabulary.specialTokens(),
      endTokens: vocabulary.endTokens().map((token) => this.#text(token)),
      ...(setup.architecture !== undefined && { architecture: setup.architecture }),
    }
    this.template = compileChatTemplate(options)
    this.#given = new GivenTemplates(options)
  }

  /**
   * Where a later prompt may part from this one, in cells, ascending: around the last message, which may be edited, or
   * after which the template may drop earlier thinking, and at the last token, whose logits the same prompt needs.
   */
  checkpoints(request: GenerationRequest, { text, tokens, media }: Prompt): readonly number[] {
    // Media are no part of the text.
    const bytesOf = (token: number): number => (token < 0 ? 0 : this.#vocabulary.bytes(token).length)
    const around =
      request.kind === "chat" ? lastMessageCells(request.messages, { text, tokens, bytesOf }) : []
    return [...around, tokens.length - 1].filter((cells) => cells > 0 && !cutsMedia(media, cells))
  }

  /**
   * Calls `templated` once the template is applied.
   * @throws ContextLengthExceeded, TemplateFailed, InvalidRequest, Unsupported
   */
  build(request: GenerationRequest, media: MediaUnits, templated: OnTemplated): Prompt {
    this.#refuseUnknown("stop_token_ids", request.stopTokens ?? [])
    const capacity = { contextLength: this.#contextLength, longestTokenBytes: this.longestTokenBytes }
    refuseHopelessText(request, capacity)
    const chat = request.kind === "chat" ? this.#render(request) : undefined
    templated(chat?.answer)
    if (chat === undefined) return this.#completion(request as CompletionRequest, media)
    const { pieces } = chat
    // Check again: the template may have kept text that the first check did not count, and tokenizing many
    // megabytes takes seconds.
    const length = pieces.reduce((sum, { text }) => sum + text.length, 0)
    refuseLongText(length, capacity, textField(request))
    return this.#tokenize(pieces, media)
  }

  #render(request: ChatRequest): RenderedChat {
    if (request.template !== undefined) return this.#given.get(request.template).render(request)
    if (this.#templateError !== undefined) throw new TemplateFailed(this.#templateError)
    return this.template.render(request)
  }

  #completion(request: CompletionRequest, media: MediaUnits): Prompt {
    if (request.media !== undefined) return this.#tokenize(piecesAtMarks(request, request.media), media)
    if (request.suffix !== undefined) return this.#fill(request, request.suffix)
    if (request.keepLast !== undefined)
      return this.#lastOf(request, this.#mostTokens(request, request.keepLast))
    if (typeof request.prompt === "string") return this.#tokenize([{ text: request.prompt, special: true }])
    return { text: this.#detokenize(request.prompt), ...layOutCells([this.#checked(request.prompt)]) }
  }

  /** Maximum prompt tokens of a completion that keeps only the last `keepLast`. */
  #mostTokens({ maxTokens = 0 }: CompletionRequest, keepLast: number): number {
    if (keepLast > 0) return keepLast
    // An answer without a limit, or with one beyond the context, uses the space that is left.
    return maxTokens < this.#contextLength ? this.#contextLength - maxTokens : this.#contextLength
  }

  /**
   * The last `count` tokens of the prompt; a BOS that the model needs stays in front and counts as one of
   * them.
   */
  #lastOf({ prompt }: CompletionRequest, count: number): Prompt {
    if (typeof prompt !== "string") {
      const ids = prompt.slice(-count)
      return { text: this.#detokenize(ids), ...layOutCells([this.#checked(ids)]) }
    }
    // This much text has at least `count` tokens; the text before it need not be tokenized.
    const text = prompt
      .slice(-Math.min(prompt.length, count * (this.longestTokenBytes ?? Number.POSITIVE_INFINITY)))
      .toWellFormed()
    const whole = this.#tokenize([{ text, special: true }])
    if (whole.tokens.length <= count) return whole
    const start = this.#vocabulary.addsBos ? whole.tokens.subarray(0, 1) : whole.tokens.subarray(0, 0)
    const end = whole.tokens.subarray(whole.tokens.length - (count - start.length))
    return { text: this.#detokenize(Array.from(end)), ...layOutCells([start, end]) }
  }

  #fill(request: CompletionRequest, suffix: string): Prompt {
    const tokens = this.#checked(gapTokens(request, suffix, this.#vocabulary, this.#contextLength))
    return { text: this.#detokenize(Array.from(tokens)), ...layOutCells([tokens]) }
  }

  #checked(ids: readonly number[]): Int32Array {
    this.#refuseUnknown("prompt", ids)
    return Int32Array.from(ids)
  }

  /** @throws InvalidRequest if ids in `field` are not in the vocabulary */
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

  #tokenize(given: readonly PromptPiece[], media: MediaUnits = []): Prompt {
    const text = given.map((piece) => piece.text).join("")
    // What the model needs in front comes before media too.
    const pieces = given[0]?.media === undefined ? given : [{ text: "", special: true }, ...given]
    // A template that writes BOS itself must not get a second one.
    const hasBos = this.#vocabulary.addsBos && text.startsWith(this.#text(this.#vocabulary.bos))
    const parts = pieces.flatMap((piece, index): readonly PromptUnit[] => {
      if (piece.media !== undefined) return media[piece.media] ?? []
      const options = { addSpecial: index === 0 && !hasBos, parseSpecial: piece.special }
      return [this.#vocabulary.tokenize(piece.text, options)]
    })
    const shown = pieces.map((piece) => (piece.media === undefined ? piece.text : SHOWN_MEDIA)).join("")
    return { text, ...(media.length > 0 && { shown }), ...layOutCells(parts) }
  }

  #text(token: number): string {
    return new TextDecoder().decode(this.#vocabulary.bytes(token))
  }
}

/** @throws InvalidRequest where there are not as many marks as media; Unsupported beside what has no place for them */
function piecesAtMarks(
  { prompt, suffix, keepLast }: CompletionRequest,
  { mark, parts }: CompletionMedia,
): readonly PromptPiece[] {
  if (typeof prompt !== "string" || suffix !== undefined || keepLast !== undefined)
    throw new Unsupported("images need a prompt that is one text, which is not cut", "prompt")
  const [first = "", ...others] = prompt.split(mark)
  if (others.length !== parts.length)
    throw new InvalidRequest(
      `the prompt's marks (${others.length}) are not as many as its images and sounds (${parts.length}); each needs one`,
      "prompt",
    )
  const pieces = others.flatMap((text, media): PromptPiece[] => [
    { text: "", special: false, media },
    { text, special: true },
  ])
  return [{ text: first, special: true }, ...pieces]
}

/** The request field that the prompt comes from, by its API name. */
export function textField(request: GenerationRequest): "messages" | "prompt" {
  return request.kind === "chat" ? "messages" : "prompt"
}
