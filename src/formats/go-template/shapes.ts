/** What is known about a value at translation time: how it is printed, and its fields. */
export interface Shape {
  /** `any`: strings as they are, everything else as JSON. */
  readonly print: "text" | "number" | "flag" | "json" | "any"
  /** Go's field names, and where they are in Jinja's variables. Absent: it has none, or any (`isOpen`). */
  readonly fields?: Readonly<Record<string, Field>>
  /** Of a list or map; absent: neither. */
  readonly element?: Shape
  readonly isMap?: true
  /** Its keys come from outside, so any field may exist. */
  readonly isOpen?: true
}

export interface Field {
  /** The key in Jinja's variables; for variables themselves, an expression. */
  readonly name: string
  readonly shape: Shape
}

export const textShape: Shape = { print: "text" }
export const number: Shape = { print: "number" }
export const flag: Shape = { print: "flag" }
/** A value from a client. */
export const anything: Shape = {
  print: "any",
  isOpen: true,
  get element() {
    return anything
  },
}

const anyList: Shape = { print: "json", element: anything }
const anyMap: Shape = { print: "json", element: anything, isMap: true, isOpen: true }

function list(element: Shape): Shape {
  return { print: "json", element }
}

function object(fields: Readonly<Record<string, readonly [name: string, shape: Shape]>>): Shape {
  return {
    print: "json",
    fields: Object.fromEntries(
      Object.entries(fields).map(([field, [name, shape]]) => [field, { name, shape }]),
    ),
  }
}

const property = object({
  Type: ["type", anything],
  Description: ["description", textShape],
  Enum: ["enum", anyList],
  Items: ["items", anything],
  Properties: ["properties", anyMap],
  Required: ["required", anyList],
  AnyOf: ["anyOf", anyList],
})

const parameters = object({
  Type: ["type", textShape],
  Required: ["required", anyList],
  Properties: ["properties", { print: "json", element: property, isMap: true }],
  Defs: ["$defs", anything],
  Items: ["items", anything],
})

const tool = object({
  Type: ["type", textShape],
  Items: ["items", anything],
  Function: [
    "function",
    object({
      Name: ["name", textShape],
      Description: ["description", textShape],
      Parameters: ["parameters", parameters],
    }),
  ],
})

export const tools = list(tool)

const call = object({
  ID: ["id", textShape],
  Function: [
    "function",
    object({
      Index: ["index", number],
      Name: ["name", textShape],
      Arguments: ["arguments", { ...anyMap, print: "any" }],
    }),
  ],
})

/** The keys written by `conversation.ts`. */
const message = object({
  Role: ["role", textShape],
  Content: ["content", textShape],
  Thinking: ["thinking", textShape],
  Images: ["images", anyList],
  ToolCalls: ["tool_calls", list(call)],
  ToolName: ["tool_name", textShape],
  ToolCallID: ["tool_call_id", textShape],
})

export const messages = list(message)
