/** A function that the model may call. */
export interface Tool {
  readonly name: string
  readonly description?: string
  /** JSON Schema of the arguments, which are an object; absent: any. */
  readonly parameters?: Readonly<Record<string, unknown>>
  /** Keywords of the schema that cannot be enforced are refused, not reported. */
  readonly isStrict: boolean
}

/** `auto`: the model decides. `required`: the answer is at least one call. */
export type ToolChoice = "none" | "auto" | "required"

/** The tools of a chat. */
export interface ToolUse {
  /** All that the prompt lists; at least one. */
  readonly tools: readonly Tool[]
  readonly choice: ToolChoice
  /** Names of those that may be called; absent: all. */
  readonly callable?: readonly string[]
  /** May an answer have several calls? */
  readonly isParallel: boolean
}
