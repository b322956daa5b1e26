import type { DeltaEvent, FinishReason, PartStartEvent, ToolCall } from "../../domain/chat"
import type { ReasoningField } from "../../domain/settings"
import type { AnswerChoice } from "../render/answer"
import type { ChatReplyOptions } from "./translate"

/** How thinking and calls are written, in whole answers and in streams. */
export class ChatParts {
  readonly #isOldForm: boolean
  /** Names of the fields with the thinking. */
  readonly #reasoningFields: readonly string[]

  constructor({ isOldForm, hidesReasoning }: ChatReplyOptions, reasoningField: ReasoningField) {
    this.#isOldForm = isOldForm === true
    this.#reasoningFields =
      hidesReasoning === true
        ? []
        : reasoningField === "both"
          ? ["reasoning_content", "reasoning"]
          : [reasoningField]
  }

  message({ text, reasoning, toolCalls = [] }: AnswerChoice): object {
    return {
      role: "assistant",
      content: text === "" && toolCalls.length > 0 ? null : text,
      refusal: null,
      ...(reasoning !== undefined && this.#reasoning(reasoning)),
      ...(toolCalls.length > 0 && this.#calls(toolCalls)),
    }
  }

  /** The delta for a part other than text; undefined: there is nothing to report. */
  delta(event: PartStartEvent | DeltaEvent, call: number): object | undefined {
    if (event.part !== "tool-call")
      return event.type === "delta" && this.#reasoningFields.length > 0
        ? this.#reasoning(event.text)
        : undefined
    if (event.type === "delta") return this.#callDelta(call, { function: { arguments: event.text } })
    return this.#callDelta(call, toCallBody({ ...event, arguments: "" }))
  }

  finishReason(reason: FinishReason): string {
    return reason === "tool_calls" && this.#isOldForm ? "function_call" : reason
  }

  #reasoning(text: string): object {
    return Object.fromEntries(this.#reasoningFields.map((name) => [name, text]))
  }

  #calls(calls: readonly ToolCall[]): object {
    const bodies = calls.map(toCallBody)
    return this.#isOldForm ? { function_call: bodies[0]?.function } : { tool_calls: bodies }
  }

  #callDelta(index: number, body: { readonly function: object }): object {
    // The older form has one call, without an id.
    return this.#isOldForm ? { function_call: body.function } : { tool_calls: [{ index, ...body }] }
  }
}

function toCallBody({ id, name, arguments: text }: ToolCall) {
  return { id, type: "function", function: { name, arguments: text } }
}
