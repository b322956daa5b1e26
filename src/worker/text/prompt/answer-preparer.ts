import type { ChatRequest, GenerationRequest } from "../../../domain/chat"
import type { ToolUse } from "../../../domain/tools"
import type { AnswerForm, ReasoningForm } from "../../../prompt/answer-form"
import { certainTriggers, withBareCalls } from "../../../prompt/tools/bare-calls"
import { numbersRunOn, type ToolSyntax } from "../../../prompt/tools/syntax"
import type { CompiledConstraint, ConstraintCompiler } from "./constraint-compiler"
import type { PreparedAnswer, PreparedCalls, PreparedReasoning } from "./prepared"

/** How an answer is read, and what it may be. */
export interface AnswerPlan {
  /** Absent: it is one text. */
  readonly answer?: PreparedAnswer
  /** Absent: any text. */
  readonly constraint?: CompiledConstraint
}

/** Prepares the reading of answers with thinking and calls. */
export class AnswerPreparer {
  readonly #constraints: ConstraintCompiler
  /** By those learned, which are few, and kept by their templates. */
  readonly #syntaxes = new WeakMap<ToolSyntax, ToolSyntax>()
  readonly #controls = new WeakMap<ToolSyntax, PreparedCalls["controls"]>()

  constructor(constraints: ConstraintCompiler) {
    this.#constraints = constraints
  }

  /** `learned`: of the rendered chat; absent for completions. @throws InvalidRequest */
  plan(request: GenerationRequest, learned: AnswerForm | undefined): AnswerPlan {
    const { output } = request
    if (request.kind !== "chat" || learned === undefined)
      return output === undefined ? {} : { constraint: this.#constraints.compile(output) }
    const form = { ...learned, ...(learned.tools !== undefined && { tools: this.#read(learned.tools) }) }
    const answer = this.#answer(request, form)
    const constraint = this.#constraint(request, form)
    return {
      ...(Object.keys(answer).length > 0 && { answer }),
      ...(constraint !== undefined && { constraint }),
    }
  }

  /** What is read: more than what was learned. */
  #read(learned: ToolSyntax): ToolSyntax {
    const syntax = this.#syntaxes.get(learned) ?? withBareCalls(learned)
    this.#syntaxes.set(learned, syntax)
    return syntax
  }

  #constraint(request: ChatRequest, form: AnswerForm): CompiledConstraint | undefined {
    const { output } = request
    const use = offered(request)
    if (
      use !== undefined &&
      form.tools !== undefined &&
      (use.choice === "required" || canBegin(form.tools, use))
    )
      return this.#constraints.compileCalls({
        syntax: form.tools,
        use,
        output,
        ...(numbersRunOn(form.tools) && { earlierCalls: earlierIds(request).length }),
      })
    return output && this.#constraints.compile(output, form.text)
  }

  #answer(request: ChatRequest, { reasoning, tools, text }: AnswerForm): PreparedAnswer {
    const { controls } = this.#constraints
    const use = offered(request)
    const hasCalls = use !== undefined && tools !== undefined
    return {
      ...(reasoning !== undefined && { reasoning: this.#reasoning(request, reasoning) }),
      ...(hasCalls && { calls: this.#calls(request, use, tools) }),
      ...(!hasCalls &&
        text !== undefined && {
          text: { start: controls.resolve(text.start), end: controls.resolve(text.end) },
        }),
    }
  }

  #calls(request: ChatRequest, use: ToolUse, syntax: ToolSyntax): PreparedCalls {
    const controls = this.#controls.get(syntax) ?? this.#constraints.controls.in(syntax)
    this.#controls.set(syntax, controls)
    const callable = use.tools.filter(({ name }) => use.callable?.includes(name) ?? true)
    return {
      syntax,
      controls,
      tools: JSON.stringify(callable),
      isRequired: use.choice === "required",
      earlierIds: earlierIds(request),
    }
  }

  #reasoning({ reasoning, templateArguments }: ChatRequest, form: ReasoningForm): PreparedReasoning {
    const { controls } = this.#constraints
    const isOff =
      reasoning?.isEnabled === false ||
      reasoning?.effort === "none" ||
      templateArguments["enable_thinking"] === false
    // Some templates open the thinking whatever they are told, and some models begin it themselves.
    const budget = isOff ? 0 : reasoning?.budgetTokens
    return {
      start: controls.resolve(form.start),
      end: controls.resolve(form.end),
      names: { start: form.start, end: form.end },
      isOpen: form.isOpen,
      mayBegin: !isOff,
      isInline: reasoning?.isInline ?? false,
      ...(budget !== undefined && { budget }),
    }
  }
}

/** Of the calls that the conversation has already. */
function earlierIds({ messages }: ChatRequest): readonly string[] {
  return messages.flatMap(({ toolCalls = [] }) => toolCalls.map(({ id }) => id))
}

/** The tools that an answer may call. */
function offered({ tools }: ChatRequest): ToolUse | undefined {
  return tools?.choice === "none" ? undefined : tools
}

/** A call that nothing certain begins is read, and not forced. */
function canBegin(syntax: ToolSyntax, use: ToolUse): boolean {
  return syntax.isOpened === true || certainTriggers(syntax, use).length > 0
}
