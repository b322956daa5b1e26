import type { ChatRequest } from "../domain/chat"
import { TemplateFailed } from "../errors/engine"
import { InvalidRequest } from "../errors/request"
import { TEMPLATE_LEARNING } from "../limits"
import type { AnswerForm } from "./answer-form"
import { adaptConversation } from "./conversation"
import { chooseFallback } from "./fallback-templates"
import { Insertions } from "./insertions"
import { JinjaTemplate, TemplateRaised } from "./jinja"
import { LearnedTemplate } from "./learned-template"
import { MediaMarks } from "./media-marks"
import { mapTemplateMessage, type TemplateMessage, toTemplateMessages } from "./messages"
import type { PromptPiece } from "./piece"
import { closingOf, isOpenAt, reasoningVariables } from "./reasoning/request"
import { SpecialTokenEscaper } from "./special-token-escaper"
import { SpecialTokens } from "./special-tokens"
import { strftime } from "./strftime"
import { DEFAULT_CAPS, probeTemplate, type TemplateCaps } from "./template-caps"
import type { LearnedTools } from "./tools/learn/tools"
import { describeTools, toTemplateTool, withDescriptions } from "./tools/offer"
import type { RenderProbe } from "./tools/learn/probes"

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
  /** The texts of the tokens that end an answer; default: the EOS token's. */
  readonly endTokens?: readonly string[]
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
   * `continueFinalMessage` is set and the last message is not from the assistant; Unsupported if the template leaves
   * out a picture or a sound
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

/** Compiles a template that came with a request. @throws InvalidRequest where it does not work */
export function compileGivenTemplate(source: string, options: ChatTemplateOptions): ChatTemplate {
  try {
    return new CompiledTemplate(source, { ...options, isChosen: true })
  } catch (error) {
    throw new InvalidRequest(`template does not work: ${wordsOf(error)}`, "template")
  }
}

function builtIn(options: ChatTemplateOptions, reason: string): ChatTemplate {
  const { name, source, stop, isKnown } = chooseFallback(options.architecture, options.specialTokens)
  const explanation = `${reason}: using ${name}${isKnown ? "" : ", which this model may not know"}`
  return new CompiledTemplate(source, options, { explanation, stop })
}

/** How the tools reach the prompt: by the template, as given or with what is missing, or in the system prompt. */
type ToolOffer = "as given" | "with descriptions" | "in the system prompt"

/** What of a request is passed to the template, and how. */
interface Plan {
  readonly request: RenderRequest
  readonly caps: TemplateCaps
  /** Absent: the conversation has to do with no tools. */
  readonly tools?: LearnedTools
  readonly offer: ToolOffer
  readonly variables: Readonly<Record<string, unknown>>
}

class CompiledTemplate implements ChatTemplate {
  readonly fallback?: TemplateFallback
  readonly #template: JinjaTemplate
  readonly #controls: SpecialTokens
  readonly #options: ChatTemplateOptions
  readonly #caps: TemplateCaps
  readonly #learned: LearnedTemplate

  constructor(source: string, options: ChatTemplateOptions, fallback?: TemplateFallback) {
    if (fallback !== undefined) this.fallback = fallback
    this.#options = options
    this.#controls = new SpecialTokens(options.specialTokens)
    this.#template = new JinjaTemplate(source)
    this.#caps = this.#probeTemplate(source)
    this.#learned = new LearnedTemplate({
      source,
      render: this.#renderProbe,
      specialTokens: options.specialTokens,
      ends: options.endTokens ?? [options.eosToken],
    })
  }

  render(request: RenderRequest): RenderedChat {
    const marks = new MediaMarks()
    const rendered = this.#renderText({ ...request, messages: marks.put(request.messages) })
    if (marks.isEmpty) return rendered
    const pieces = marks.resolve(rendered.pieces)
    return { ...rendered, pieces, text: pieces.map(({ text }) => text).join("") }
  }

  #renderText(request: RenderRequest): RenderedChat {
    const plan = this.#planFor(request)
    if (!offersTools(request) || plan.offer === "in the system prompt") return this.#renderPlan(plan)
    // A schema may lack, or have, what the template's own way to list tools cannot do without, or with.
    return (
      this.#tryPlan(plan) ??
      this.#tryPlan({ ...plan, offer: "with descriptions" }) ??
      this.#renderPlan({ ...plan, offer: "in the system prompt" })
    )
  }

  /** `undefined` if the template fails, as opposed to refuses the conversation. */
  #tryPlan(plan: Plan): RenderedChat | undefined {
    try {
      return this.#renderPlan(plan)
    } catch (error) {
      if (!(error instanceof TemplateFailed) || error.isRefusal) throw error
      return undefined
    }
  }

  #renderPlan(plan: Plan): RenderedChat {
    const escaper = new SpecialTokenEscaper(this.#controls, "whole texts")
    const pieces = this.#withoutJoints(plan, this.#renderPieces(plan, escaper))
    const closing = this.#closingOf(plan.request, pieces)
    const all = closing === "" ? pieces : [...pieces, { text: closing, special: true }]
    const text = all.map((piece) => piece.text).join("")
    return { text, pieces: all, answer: this.#answerForm(plan, text) }
  }

  #planFor(request: RenderRequest): Plan {
    const { messages, reasoning } = request
    const isAboutTools =
      offersTools(request) ||
      messages.some(({ role, toolCalls }) => role === "tool" || toolCalls !== undefined)
    const learned = isAboutTools ? this.#learned.tools : undefined
    const isTagged = learned?.syntax.call.arguments.type === "tagged"
    const needsObject = learned?.showsCalls === true && (isTagged || this.#caps.toolArguments === "none")
    return {
      request,
      caps: needsObject ? { ...this.#caps, toolArguments: "object" } : this.#caps,
      ...(learned !== undefined && { tools: learned }),
      // A convention that the template does not know must be explained.
      offer:
        learned?.listsTools === true && learned.syntax.origin !== "generic"
          ? "as given"
          : "in the system prompt",
      variables: reasoning === undefined ? {} : reasoningVariables(reasoning, this.#learned.switches),
    }
  }

  #answerForm({ request, tools }: Plan, text: string): AnswerForm {
    const { thinking, text: around } = this.#learned
    return {
      ...(thinking !== undefined && {
        reasoning: {
          start: thinking.start,
          end: thinking.end,
          isOpen: isOpenAt(text, thinking, request),
        },
      }),
      ...(around !== undefined && { text: around }),
      ...(tools !== undefined && offersTools(request) && { tools: tools.syntax }),
    }
  }

  /** Ends the thinking where the template has no way not to open it. */
  #closingOf(request: RenderRequest, pieces: readonly PromptPiece[]): string {
    const { thinking } = this.#learned
    if (request.reasoning === undefined || thinking === undefined || !request.addGenerationPrompt) return ""
    const text = pieces.map((piece) => piece.text).join("")
    const { canDisable } = this.#learned.switches
    return closingOf(request, { thinking, canDisable, isOpen: isOpenAt(text, thinking, request) })
  }

  #probeTemplate(source: string): TemplateCaps {
    try {
      return probeTemplate(source, (messages, caps) =>
        this.#run(toTemplateMessages(messages, caps), caps, new Map(), true),
      )
    } catch (error) {
      if (this.#options.isChosen === true) return DEFAULT_CAPS
      throw error
    }
  }

  readonly #renderProbe: RenderProbe = (messages, { argumentsAs, tools, opensAnswer, variables } = {}) => {
    const caps = argumentsAs === undefined ? this.#caps : { ...this.#caps, toolArguments: argumentsAs }
    const all = new Map([
      ...(tools === undefined ? [] : listedTools(tools.map(toTemplateTool))),
      ...Object.entries(variables ?? {}),
    ])
    try {
      const text = this.#run(toTemplateMessages(messages, caps), caps, all, opensAnswer === true)
      return text.length > TEMPLATE_LEARNING.rendered ? undefined : text
    } catch {
      return undefined
    }
  }

  /**
   * Parts of a control text from different messages, or around something that the template removes, may be
   * joined in the prompt. If escaping parts too changes the special tokens of the prompt, that happened; the
   * strict rendering, without these tokens, is then the right one.
   */
  #withoutJoints(plan: Plan, pieces: PromptPiece[]): PromptPiece[] {
    const escaper = new SpecialTokenEscaper(this.#controls, "parts too")
    escapePlan(plan, escaper, new Insertions())
    if (!escaper.hasParts) return pieces
    const strict = this.#renderPieces(plan, escaper)
    return this.#controlSequence(strict) === this.#controlSequence(pieces) ? pieces : strict
  }

  #controlSequence(pieces: readonly PromptPiece[]): string {
    const found = pieces.filter(({ special }) => special).flatMap(({ text }) => this.#controls.find(text))
    return JSON.stringify(found)
  }

  #renderPieces(plan: Plan, escaper: SpecialTokenEscaper): PromptPiece[] {
    const { request, caps } = plan
    const insertions = new Insertions()
    const { messages, variables } = escapePlan(plan, escaper, insertions)
    const opensAnswer = request.addGenerationPrompt && !request.continueFinalMessage
    try {
      const rendered = insertions.fill(this.#run(messages, caps, variables, opensAnswer))
      return escaper.unescape(request.continueFinalMessage ? cutAtMark(rendered, escaper) : rendered)
    } catch (error) {
      const words = escaper.unescape(wordsOf(error).replaceAll(escaper.endMark, ""))
      throw new TemplateFailed(words.map((piece) => piece.text).join(""), error instanceof TemplateRaised)
    }
  }

  /** Passes the same variables and defaults to templates as llama.cpp's server. */
  #run(
    messages: readonly TemplateMessage[],
    caps: TemplateCaps,
    given: ReadonlyMap<string, unknown>,
    addGenerationPrompt: boolean,
  ): string {
    const now = this.#options.now?.() ?? new Date()
    const variables = new Map<string, unknown>([
      ...noTools(caps),
      ["enable_thinking", true],
      ["date_string", strftime(now, "%d %b %Y")],
      ["datetime", strftime(now, "%b %d %Y")],
      ...given,
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

function noTools({ tools }: TemplateCaps): [string, unknown][] {
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

function listedTools(tools: readonly unknown[]): [string, unknown][] {
  return [
    ["tools", tools],
    ["functions", JSON.stringify(tools, null, 4)],
  ]
}

/** A model that must not call a tool is not shown any. */
function offersTools({ tools }: RenderRequest): boolean {
  return tools !== undefined && tools.choice !== "none"
}

interface EscapedPlan {
  readonly messages: readonly TemplateMessage[]
  readonly variables: ReadonlyMap<string, unknown>
}

function escapePlan(plan: Plan, escaper: SpecialTokenEscaper, insertions: Insertions): EscapedPlan {
  const { request, caps, tools, offer } = plan
  const escape = (value: unknown): unknown => escaper.escapeWithKeys(value)
  const offered = offersTools(request)
    ? (request.tools?.tools ?? []).map((tool) =>
        escape(toTemplateTool(offer === "with descriptions" ? withDescriptions(tool) : tool)),
      )
    : []
  const describes = offered.length > 0 && offer === "in the system prompt"
  const messages =
    tools === undefined
      ? request.messages
      : adaptConversation(request.messages, {
          tools,
          insertions,
          escape,
          ...(describes && { offer: describeTools(offered, tools.syntax) }),
        })
  const hidden = toTemplateMessages(messages, caps).map((message) =>
    mapTemplateMessage(message, { text: (text) => escaper.escapeText(text), value: escape }),
  )
  return {
    messages: request.continueFinalMessage ? markEnd(hidden, escaper) : hidden,
    variables: new Map([
      ...(offered.length > 0 && !describes ? listedTools(offered) : []),
      ...Object.entries(plan.variables),
      ...Object.entries(request.templateArguments).map(
        ([name, value]) => [name, escaper.escape(value)] as const,
      ),
    ]),
  }
}

function markEnd(messages: readonly TemplateMessage[], { endMark }: SpecialTokenEscaper): TemplateMessage[] {
  const last = messages.at(-1)
  if (last?.role !== "assistant") {
    throw new InvalidRequest("the last message must be from the assistant to be continued", "messages")
  }
  const content =
    last.content === null || typeof last.content === "string"
      ? (last.content ?? "") + endMark
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
