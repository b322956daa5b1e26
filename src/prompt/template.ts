import type { ChatMessage, ChatRequest } from "../domain/chat"
import { TemplateFailed } from "../errors/engine"
import { InvalidRequest } from "../errors/request"
import { chooseFallback } from "./fallback-templates"
import { JinjaTemplate } from "./jinja"
import { type TemplateMessage, toTemplateMessages } from "./messages"
import type { PromptPiece } from "./piece"
import { SpecialTokenEscaper } from "./special-token-escaper"
import { SpecialTokens } from "./special-tokens"
import { strftime } from "./strftime"
import { DEFAULT_CAPS, probeTemplate, type TemplateCaps } from "./template-caps"

export interface ChatTemplateOptions {
  /** The model's own template; `null` where it has none. */
  readonly source: string | null
  /** It is used whatever it leaves out of a conversation: somebody chose it. */
  readonly isChosen?: boolean
  /** Texts of the tokens, empty where the model has none. */
  readonly bosToken: string
  readonly eosToken: string
  /** The texts of all control tokens of the vocabulary. */
  readonly specialTokens: readonly string[]
  /** `general.architecture` of the model: a model without a template gets the format of its family. */
  readonly architecture?: string
  /** The clock that templates see; default: the system's. */
  readonly now?: () => Date
}

export type RenderRequest = Pick<
  ChatRequest,
  "messages" | "templateArguments" | "addGenerationPrompt" | "continueFinalMessage"
>

export interface RenderedChat {
  readonly text: string
  /** They join to `text`. */
  readonly pieces: readonly PromptPiece[]
}

/** A built-in template in place of the model's own. */
export interface TemplateFallback {
  /** Which format is used and why, in one sentence for people. */
  readonly explanation: string
  /** Markers of the format that are no tokens of the vocabulary: answers must end before them. */
  readonly stop: readonly string[]
}

/** Turns conversations into prompts. */
export interface ChatTemplate {
  /** Absent: the model's own template is used. */
  readonly fallback?: TemplateFallback
  /**
   * @throws TemplateFailed where the template refuses the conversation or fails at it; InvalidRequest where
   * `continueFinalMessage` is set and the last message is not the assistant's
   */
  render(request: RenderRequest): RenderedChat
}

/**
 * Tries the template on small conversations, to learn what it needs and whether it works. This runs code from the
 * model file, as rendering does: a hostile template may never return.
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
    return { text: safe.map((piece) => piece.text).join(""), pieces: safe }
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
   * Parts of a control text that stand in different messages, or around something that the template takes out, could
   * meet in the prompt. They have if hiding the parts too changes the control tokens that the prompt has; then it is
   * the prompt without the parts' tokens that is right.
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

  /** Variables and defaults are those that llama.cpp's server gives to templates. */
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
    // Declared by the interpreter itself, which lets nobody declare it again.
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
      // Templates of function-calling models may know tools as JSON under another name, and only so.
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
  const hidden = request.messages.map((message) => escapeMessage(message, escaper))
  const messages = request.continueFinalMessage ? markEnd(hidden, escaper) : hidden
  const hiddenArguments = Object.entries(request.templateArguments).map(
    ([name, value]) => [name, escaper.escape(value)] as const,
  )
  return {
    messages: toTemplateMessages(messages, caps),
    templateArguments: Object.fromEntries(hiddenArguments),
  }
}

function escapeMessage(message: ChatMessage, escaper: SpecialTokenEscaper): ChatMessage {
  const { role, content, name, toolCallId } = message
  return {
    role,
    content: escaper.escapeText(content),
    ...(name !== undefined && { name: escaper.escapeText(name) }),
    ...(toolCallId !== undefined && { toolCallId: escaper.escapeText(toolCallId) }),
  }
}

function markEnd(messages: readonly ChatMessage[], escaper: SpecialTokenEscaper): ChatMessage[] {
  const last = messages.at(-1)
  if (last?.role !== "assistant") {
    throw new InvalidRequest("the last message must be from the assistant to be continued", "messages")
  }
  return [...messages.slice(0, -1), { ...last, content: last.content + escaper.endMark }]
}

function cutAtMark(rendered: string, { endMark }: SpecialTokenEscaper): string {
  const end = rendered.lastIndexOf(endMark)
  if (end === -1) throw new Error("it does not contain the message to be continued")
  return rendered.slice(0, end).replaceAll(endMark, "")
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
