import type { ChatMessage, ChatRequest } from "../domain/chat"
import { TemplateFailed } from "../errors/engine"
import { InvalidRequest } from "../errors/request"
import { ControlTexts } from "./control-texts"
import { Disguise } from "./disguise"
import { chooseFallback } from "./fallback-templates"
import { learnHabits, type TemplateHabits, USUAL_HABITS } from "./habits"
import { JinjaTemplate } from "./jinja"
import { type TemplateMessage, toTemplateMessages } from "./messages"
import type { PromptPiece } from "./piece"
import { strftime } from "./strftime"

export interface ChatTemplateOptions {
  /** The model's own template; `null` where it has none. */
  readonly source: string | null
  /** It is used whatever it leaves out of a conversation: somebody chose it. */
  readonly isChosen?: boolean
  /** Texts of the tokens, empty where the model has none. */
  readonly bosToken: string
  readonly eosToken: string
  /** The texts of all control tokens of the vocabulary. */
  readonly controlTexts: readonly string[]
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
  const { name, source, stop, isKnown } = chooseFallback(options.architecture, options.controlTexts)
  const explanation = `${reason}: ${name} is used${isKnown ? "" : ", which this model may not know"}`
  return new CompiledTemplate(source, options, { explanation, stop })
}

class CompiledTemplate implements ChatTemplate {
  readonly fallback?: TemplateFallback
  readonly #template: JinjaTemplate
  readonly #controls: ControlTexts
  readonly #options: ChatTemplateOptions
  readonly #habits: TemplateHabits

  constructor(source: string, options: ChatTemplateOptions, fallback?: TemplateFallback) {
    if (fallback !== undefined) this.fallback = fallback
    this.#options = options
    this.#controls = new ControlTexts(options.controlTexts)
    this.#template = new JinjaTemplate(source)
    this.#habits = this.#learnHabits(source)
  }

  render(request: RenderRequest): RenderedChat {
    const disguise = new Disguise(this.#controls, "whole texts")
    const pieces = this.#renderPieces(request, disguise)
    const safe = this.#withoutJoints(request, pieces)
    return { text: safe.map((piece) => piece.text).join(""), pieces: safe }
  }

  #learnHabits(source: string): TemplateHabits {
    try {
      return learnHabits(source, (messages, habits) =>
        this.#run(toTemplateMessages(messages, habits), habits, {}, true),
      )
    } catch (error) {
      if (this.#options.isChosen === true) return USUAL_HABITS
      throw error
    }
  }

  /**
   * Parts of a control text that stand in different messages, or around something that the template takes out, could
   * meet in the prompt. They have if hiding the parts too changes the control tokens that the prompt has; then it is
   * the prompt without the parts' tokens that is right.
   */
  #withoutJoints(request: RenderRequest, pieces: PromptPiece[]): PromptPiece[] {
    const disguise = new Disguise(this.#controls, "parts too")
    disguiseRequest(request, this.#habits, disguise)
    if (!disguise.hasParts) return pieces
    const strict = this.#renderPieces(request, disguise)
    return this.#controlSequence(strict) === this.#controlSequence(pieces) ? pieces : strict
  }

  #controlSequence(pieces: readonly PromptPiece[]): string {
    const found = pieces.filter(({ special }) => special).flatMap(({ text }) => this.#controls.find(text))
    return JSON.stringify(found)
  }

  #renderPieces(request: RenderRequest, disguise: Disguise): PromptPiece[] {
    const { messages, templateArguments } = disguiseRequest(request, this.#habits, disguise)
    const opensAnswer = request.addGenerationPrompt && !request.continueFinalMessage
    try {
      const rendered = this.#run(messages, this.#habits, templateArguments, opensAnswer)
      return disguise.reveal(request.continueFinalMessage ? cutAtMark(rendered, disguise) : rendered)
    } catch (error) {
      const words = disguise.reveal(wordsOf(error).replaceAll(disguise.endMark, ""))
      throw new TemplateFailed(words.map((piece) => piece.text).join(""))
    }
  }

  /** Variables and defaults are those that llama.cpp's server gives to templates. */
  #run(
    messages: readonly TemplateMessage[],
    habits: TemplateHabits,
    templateArguments: Readonly<Record<string, unknown>>,
    addGenerationPrompt: boolean,
  ): string {
    const now = this.#options.now?.() ?? new Date()
    const variables = new Map<string, unknown>([
      ...toolVariables(habits),
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

function toolVariables({ tools }: TemplateHabits): [string, unknown][] {
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

function disguiseRequest(
  request: RenderRequest,
  habits: TemplateHabits,
  disguise: Disguise,
): { messages: TemplateMessage[]; templateArguments: Readonly<Record<string, unknown>> } {
  const hidden = request.messages.map((message) => disguiseMessage(message, disguise))
  const messages = request.continueFinalMessage ? markEnd(hidden, disguise) : hidden
  const hiddenArguments = Object.entries(request.templateArguments).map(
    ([name, value]) => [name, disguise.hide(value)] as const,
  )
  return {
    messages: toTemplateMessages(messages, habits),
    templateArguments: Object.fromEntries(hiddenArguments),
  }
}

function disguiseMessage(message: ChatMessage, disguise: Disguise): ChatMessage {
  const { role, content, name, toolCallId } = message
  return {
    role,
    content: disguise.hideText(content),
    ...(name !== undefined && { name: disguise.hideText(name) }),
    ...(toolCallId !== undefined && { toolCallId: disguise.hideText(toolCallId) }),
  }
}

function markEnd(messages: readonly ChatMessage[], disguise: Disguise): ChatMessage[] {
  const last = messages.at(-1)
  if (last?.role !== "assistant") {
    throw new InvalidRequest("to be continued, the last message must be the assistant's", "messages")
  }
  return [...messages.slice(0, -1), { ...last, content: last.content + disguise.endMark }]
}

function cutAtMark(rendered: string, { endMark }: Disguise): string {
  const end = rendered.lastIndexOf(endMark)
  if (end === -1) throw new Error("it does not show the message that is to be continued")
  return rendered.slice(0, end).replaceAll(endMark, "")
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
