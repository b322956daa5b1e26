/** A function that a coding agent declares: a long description, and a schema as generators write them. */
export interface AgentTool {
  readonly name: string
  readonly description: string
  readonly schema: Readonly<Record<string, unknown>>
}

const NAMES = [
  ...["Agent", "Bash", "Edit", "Read", "Write", "Grep", "Glob", "WebFetch", "NotebookEdit", "TaskCreate"],
  ...["TaskUpdate", "TaskOutput", "TaskStop", "Skill", "SendMessage", "Workflow", "EnterPlan", "ExitPlan"],
  ...["mcp__tracker__find_issue", "mcp__files__list.all"],
]

/** All that was seen to need care: huge bounds, formats, unions, maps, notes. */
const LARGE_SCHEMA = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  properties: {
    path: { type: "string", description: "An absolute path", minLength: 1, maxLength: 524_288 },
    url: { type: "string", format: "uri" },
    mode: { type: "string", enum: ["fast", "slow"], default: "fast" },
    limit: { type: "integer", exclusiveMinimum: 0, maximum: 9_007_199_254_740_991 },
    items: {
      type: "array",
      minItems: 1,
      maxItems: 100_000,
      items: { type: "object", properties: { id: { type: "string" } }, required: ["id"] },
    },
    extra: { type: "object", propertyNames: { type: "string" }, additionalProperties: {} },
    either: { anyOf: [{ type: "string" }, { type: "number" }, { type: "null" }] },
  },
  required: ["path"],
  additionalProperties: false,
}

const SMALL_SCHEMA = { type: "object", properties: { path: { type: "string" } }, required: ["path"] }

/** Twenty of them. */
export const AGENT_TOOLS: readonly AgentTool[] = NAMES.map((name, index) => ({
  name,
  description: `${name} does what its name says. Use it with care, and never twice.`,
  schema: index % 7 === 0 ? LARGE_SCHEMA : SMALL_SCHEMA,
}))

/** Without arguments, so that a call of it is always complete. */
export const LIST_TOOL: AgentTool = {
  name: "TaskList",
  description: "Lists the tasks.",
  schema: { type: "object", properties: {}, additionalProperties: false },
}

/** A long system prompt. */
export const INSTRUCTIONS = Array.from(
  { length: 40 },
  (_, index) => `${index + 1}. Do what rule ${index} of the project says, and say so in one line.`,
).join("\n")

/** The same value with fields that no API has, in every object; `kept` names fields that stay as they are. */
export function withUnknownFields(value: unknown, kept: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((each) => withUnknownFields(each, kept))
  if (typeof value !== "object" || value === null) return value
  const entries = Object.entries(value).map(([name, inner]) => [
    name,
    kept.includes(name) ? (inner as unknown) : withUnknownFields(inner, kept),
  ])
  return { ...Object.fromEntries(entries), x_unknown: { deep: [null, 1, "text"] } }
}
