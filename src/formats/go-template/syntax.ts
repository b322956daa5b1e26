/** A pipeline: commands, each of which gets the value of the previous one as its last argument. */
export interface Pipeline {
  /** Variables that it assigns. */
  readonly variables: readonly string[]
  /** `:=` declares new variables, `=` assigns existing ones. */
  readonly declares: boolean
  readonly commands: readonly TemplateCommand[]
  readonly line: number
}

/** A function with its arguments, or one value. */
export interface TemplateCommand {
  readonly operands: readonly [Operand, ...Operand[]]
  readonly line: number
}

export type Operand =
  | { readonly type: "nil" }
  | { readonly type: "constant"; readonly value: string | number | boolean }
  /** `.` and its fields: `.A.B` has the fields A and B. */
  | { readonly type: "dot"; readonly fields: readonly string[] }
  /** `$` is the variable with an empty name. */
  | { readonly type: "variable"; readonly name: string; readonly fields: readonly string[] }
  | { readonly type: "function"; readonly name: string }
  | { readonly type: "pipeline"; readonly pipeline: Pipeline; readonly fields: readonly string[] }

export interface Branch {
  readonly condition: Pipeline
  readonly body: readonly Node[]
}

export type Node =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "action"; readonly pipeline: Pipeline }
  | {
      readonly type: "if" | "with"
      /** `if` and each `else if`. */
      readonly branches: readonly Branch[]
      readonly otherwise: readonly Node[]
    }
  | { readonly type: "range"; readonly branch: Branch; readonly otherwise: readonly Node[] }
  | {
      readonly type: "template"
      readonly name: string
      readonly argument: Pipeline | undefined
      readonly line: number
    }
  | { readonly type: "break" | "continue"; readonly line: number }

export interface GoTemplate {
  readonly nodes: readonly Node[]
  /** By `define` and `block`. */
  readonly defined: ReadonlyMap<string, readonly Node[]>
}
