import type { TextMarkers } from "./reasoning/answer-text"
import type { ThinkingMarkers } from "./reasoning/markers"
import type { ToolSyntax } from "./tools/syntax"

/** How an answer to a prompt must be read. */
export interface AnswerForm {
  /** Absent: the model does not think, or its thinking has no markers. */
  readonly reasoning?: ReasoningForm
  /** Around the answer's text, and no part of it; absent: none. */
  readonly text?: TextMarkers
  /** How calls are written; absent: none can be made. */
  readonly tools?: ToolSyntax
}

/** What a model thinks stands between two markers, before its answer; blanks around it are no part of it. */
export interface ReasoningForm extends ThinkingMarkers {
  /** The prompt ends inside the thinking: the answer begins there, without `start`. */
  readonly isOpen: boolean
}
