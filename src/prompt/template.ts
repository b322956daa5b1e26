import type { ChatRequest } from "../domain/chat"
import { TemplateFailed } from "../errors/engine"
import { InvalidRequest, Unsupported } from "../errors/request"
import type { AnswerForm } from "./answer-form"
import { chooseFallback } from "./fallback-templates"
import { JinjaTemplate } from "./jinja"
import { mapTemplateMessage, type TemplateMessage, toTemplateMessages } from "./messages"
import type { PromptPiece } from "./piece"
import { SpecialTokenEscaper } from "./special-token-escaper"
import { SpecialTokens } from "./special-tokens"
import { strftime } from "./strftime"
import { DEFAULT_CAPS, probeTemplate, type TemplateCaps } from "./template-caps"

export interface ChatTemplateOptions {
  /** The model's own template; `null` if it has none. */
  readonly source: string | null
  /** The template was configured: use it even if it omits parts of a conversation. */
  readonly isChosen?: boolean
  /** Texts of the tokens; empty if the model has none. */
  readonly bosToken: string
  readonly eosToken: string
  /** The texts of all control tokens in the vocabulary. */
  readonly specialTokens: readonly string[]
  /** The model's `general.architecture`; selects a format if there is no template. */
  readonly architecture?: string
  /** The clock for templates; default: the system's. */
  readonly now?: () => Date
}

export type RenderRequest = Pick<
  ChatRequest,
  "messages" | "tools" | "reasoning" | "templateArguments" | "addGenerationPrompt" | "continueFinalMessage"
>

export interface RenderedChat {
  readonly text: string
  /** Concatenated they are `text`. */
  readonly pieces: readonly PromptPiece[]
  readonly answer: AnswerForm
}

/** A built-in template used in place of the model's own. */
export interface TemplateFallback {
  /** The format and the reason for it, in one sentence. */
  readonly explanation: string
  /** Markers of the format that are not tokens of the vocabulary: answers stop before them. */
  readonly stop: readonly string[]
}

/** Renders conversations as prompts. */
export interface ChatTemplate {
  /** Absent if the model's own template is used. */
  readonly fallback?: TemplateFallback
  /**
   * @throws TemplateFailed if the template rejects the conversation or fails; InvalidRequest if
   * `continueFinalMessage` is set and the last message is not from the assistant; Unsupported if there are tool calls
   * that the template cannot show
   */
  render(request: RenderRequest): RenderedChat
}

/**
 * Compiles the template and tests it on small conversations, to learn its capabilities and whether it works.
 * This runs code from the model file, as rendering does: a hostile template may never return.
 */
export function compileChatTemplate(options: ChatTemplateOptions): ChatTemplate {
  if (options.source === null || options.source.trim() === "") {
    return builtIn(options, "the model has no chat template")
  }
  try {
    return new CompiledTemplate(options.source, options)
  } catch (error) {
    return builtIn(options, `the model's chat template does not work: ${wordsOf(error)}`)
  }
}

function builtIn(options: ChatTemplateOptions, reason: string): ChatTemplate {
  const { name, source, stop, isKnown } = chooseFallback(options.architecture, options.specialTokens)
  const explanation = `${reason}: using ${name}${isKnown ? "" : ", which this model may not know"}`
  return new CompiledTemplate(source, options, { explanation, stop })
}

class CompiledTemplate implements ChatTemplate {
  readonly fallback?: TemplateFallback
  readonly #template: JinjaTemplate
  readonly #controls: SpecialTokens
  readonly #options: ChatTemplateOptions
  readonly #caps: TemplateCaps

  constructor(source: string, options: ChatTemplateOptions, fallback?: TemplateFallback) {
    if (fallback !== undefined) this.fallback = fallback
    this.#options = options
    this.#controls = new SpecialTokens(options.specialTokens)
    this.#template = new JinjaTemplate(source)
    this.#caps = this.#probeTemplate(source)
  }

  render(request: RenderRequest): RenderedChat {
    const escaper = new SpecialTokenEscaper(this.#controls, "whole texts")
    const pieces = this.#renderPieces(request, escaper)
    const safe = this.#withoutJoints(request, pieces)
    return { text: safe.map((piece) => piece.text).join(""), pieces: safe, answer: {} }
  }

  #probeTemplate(source: string): TemplateCaps {
    try {
      return probeTemplate(source, (messages, caps) =>
        this.#run(toTemplateMessages(messages, caps), caps, {}, true),
      )
    } catch (error) {
      if (this.#options.isChosen === true) return DEFAULT_CAPS
      throw error
    }
  }

  /**
   * Parts of a control text from different messages, or around something that the template removes, may be
   * joined in the prompt. If escaping parts too changes the special tokens of the prompt, that happened; the
   * strict rendering, without these tokens, is then the right one.
   */
  #withoutJoints(request: RenderRequest, pieces: PromptPiece[]): PromptPiece[] {
    const escaper = new SpecialTokenEscaper(this.#controls, "parts too")
    escapeRequest(request, this.#caps, escaper)
    if (!escaper.hasParts) return pieces
    const strict = this.#renderPieces(request, escaper)
    return this.#controlSequence(strict) === this.#controlSequence(pieces) ? pieces : strict
  }

  #controlSequence(pieces: readonly PromptPiece[]): string {
    const found = pieces.filter(({ special }) => special).flatMap(({ text }) => this.#controls.find(text))
    return JSON.stringify(found)
  }

  #renderPieces(request: RenderRequest, escaper: SpecialTokenEscaper): PromptPiece[] {
    const { messages, templateArguments } = escapeRequest(request, this.#caps, escaper)
    const opensAnswer = request.addGenerationPrompt && !request.continueFinalMessage
    try {
      const rendered = this.#run(messages, this.#caps, templateArguments, opensAnswer)
      return escaper.unescape(request.continueFinalMessage ? cutAtMark(rendered, escaper) : rendered)
    } catch (error) {
      const words = escaper.unescape(wordsOf(error).replaceAll(escaper.endMark, ""))
      throw new TemplateFailed(words.map((piece) => piece.text).join(""))
    }
  }

  /** Passes the same variables and defaults to templates as llama.cpp's server. */
  #run(
    messages: readonly TemplateMessage[],
    caps: TemplateCaps,
    templateArguments: Readonly<Record<string, unknown>>,
    addGenerationPrompt: boolean,
  ): string {
    const now = this.#options.now?.() ?? new Date()
    const variables = new Map<string, unknown>([
      ...toolVariables(caps),
      ["enable_thinking", true],
      ["date_string", strftime(now, "%d %b %Y")],
      ["datetime", strftime(now, "%b %d %Y")],
      ...Object.entries(templateArguments),
      ["messages", messages],
      ["add_generation_prompt", addGenerationPrompt],
      ["bos_token", this.#options.bosToken],
      ["eos_token", this.#options.eosToken],
    ])
    // Declared by the interpreter itself, which does not allow declaring it again.
    variables.delete("namespace")
    return this.#template.run(variables, now)
  }
}

function toolVariables({ tools }: TemplateCaps): [string, unknown][] {
  switch (tools) {
    case "none":
      return [["tools", null]]
    case "undefined":
      return []
    case "empty":
      // Templates of function-calling models may accept tools only as JSON, under another name.
      return [
        ["tools", []],
        ["functions", "[]"],
      ]
  }
}

function escapeRequest(
  request: RenderRequest,
  caps: TemplateCaps,
  escaper: SpecialTokenEscaper,
): { messages: TemplateMessage[]; templateArguments: Readonly<Record<string, unknown>> } {
  if (caps.toolArguments === "none" && request.messages.some(({ toolCalls }) => toolCalls !== undefined))
    throw new Unsupported(
      "messages have tool_calls, which this model's chat template cannot show",
      "messages",
    )
  const hidden = toTemplateMessages(request.messages, caps).map((message) =>
    mapTemplateMessage(message, {
      text: (text) => escaper.escapeText(text),
      value: (value) => escaper.escapeWithKeys(value),
    }),
  )
  const hiddenArguments = Object.entries(request.templateArguments).map(
    ([name, value]) => [name, escaper.escape(value)] as const,
  )
  return {
    messages: request.continueFinalMessage ? markEnd(hidden, escaper) : hidden,
    templateArguments: Object.fromEntries(hiddenArguments),
  }
}

function markEnd(messages: readonly TemplateMessage[], { endMark }: SpecialTokenEscaper): TemplateMessage[] {
  const last = messages.at(-1)
  if (last?.role !== "assistant") {
    throw new InvalidRequest("the last message must be from the assistant to be continued", "messages")
  }
  const content =
    typeof last.content === "string"
      ? last.content + endMark
      : last.content.map(({ type, text }, index, { length }) => ({
          type,
          text: index === length - 1 ? text + endMark : text,
        }))
  return [...messages.slice(0, -1), { ...last, content }]
}

function cutAtMark(rendered: string, { endMark }: SpecialTokenEscaper): string {
  const end = rendered.lastIndexOf(endMark)
  if (end === -1) throw new Error("it does not contain the message to be continued")
  return rendered.slice(0, end).replaceAll(endMark, "")
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
