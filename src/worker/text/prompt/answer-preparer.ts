import type { ChatRequest, GenerationRequest } from "../../../domain/chat"
import type { Vocabulary } from "../../../llama/vocabulary"
import type { AnswerForm, ReasoningForm } from "../../../prompt/answer-form"
import type { ToolSyntax } from "../../../prompt/tools/syntax"
import type { CompiledConstraint, ConstraintCompiler } from "./constraint-compiler"
import { ControlTexts } from "./control-texts"
import type { PreparedAnswer, PreparedReasoning } from "./prepared"

/** How an answer is read, and what it may be. */
export interface AnswerPlan {
  /** Absent: it is one text. */
  readonly answer?: PreparedAnswer
  /** Absent: any text. */
  readonly constraint?: CompiledConstraint
}

/** Prepares the reading of answers with thinking and calls. */
export class AnswerPreparer {
  readonly #vocabulary: Vocabulary
  readonly #constraints: ConstraintCompiler
  #controls: ControlTexts | undefined

  constructor(vocabulary: Vocabulary, constraints: ConstraintCompiler) {
    this.#vocabulary = vocabulary
    this.#constraints = constraints
  }

  /** `form`: of the rendered chat; absent for completions. @throws InvalidRequest */
  plan(request: GenerationRequest, form: AnswerForm | undefined): AnswerPlan {
    const { output } = request
    const tools = request.kind === "chat" && request.tools?.choice !== "none" ? request.tools : undefined
    const syntax = tools === undefined ? undefined : form?.tools
    const constraint =
      tools !== undefined && syntax !== undefined
        ? this.#constraints.compileCalls({ syntax, use: tools, output }, this.#resolver)
        : output && this.#constraints.compile(output)
    const reasoning =
      request.kind === "chat" && form?.reasoning !== undefined
        ? this.#reasoning(request, form.reasoning)
        : undefined
    const answer = {
      ...(reasoning !== undefined && { reasoning }),
      ...(syntax !== undefined && { tools: { syntax, controls: this.#resolver.in(textsOf(syntax)) } }),
    }
    return {
      ...(Object.keys(answer).length > 0 && { answer }),
      ...(constraint !== undefined && { constraint }),
    }
  }

  #reasoning({ reasoning, templateArguments }: ChatRequest, form: ReasoningForm): PreparedReasoning {
    const isOff =
      reasoning?.isEnabled === false ||
      reasoning?.effort === "none" ||
      templateArguments["enable_thinking"] === false
    const budget = isOff ? 0 : reasoning?.budgetTokens
    return {
      start: this.#resolver.resolve(form.start),
      end: this.#resolver.resolve(form.end),
      names: { start: form.start, end: form.end },
      isOpen: form.isOpen,
      mayBegin: !isOff,
      isInline: reasoning?.isInline ?? false,
      // Some templates open the thinking whatever they are told, and some models begin it themselves.
      ...(budget !== undefined && { budget }),
    }
  }

  get #resolver(): ControlTexts {
    return (this.#controls ??= new ControlTexts(this.#vocabulary))
  }
}

/** All literal texts of a syntax's markers. */
function textsOf(syntax: ToolSyntax): readonly string[] {
  const texts: string[] = []
  const collect = (value: unknown): void => {
    if (typeof value === "string") texts.push(value)
    else if (typeof value === "object" && value !== null) Object.values(value).forEach(collect)
  }
  collect(syntax)
  return texts
}
