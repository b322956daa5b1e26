import type { ToolSyntax } from "./tools/syntax"

/** How an answer to a prompt must be read. */
export interface AnswerForm {
  /** Absent: the model does not think, or its thinking has no markers. */
  readonly reasoning?: ReasoningForm
  /** How calls are written; absent: none can be made. */
  readonly tools?: ToolSyntax
}

/** What a model thinks stands between two markers, before its answer. */
export interface ReasoningForm {
  /** Without the blanks around it. */
  readonly start: string
  readonly end: string
  /** The prompt ends inside the thinking: the answer begins there, without `start`. */
  readonly isOpen: boolean
}
