import type { OutputConstraint } from "../../domain/chat"
import { InvalidRequest } from "../../errors/request"
import { COUNTS, MOST_CONSTRAINT_CHARACTERS, SCHEMA } from "../../limits"
import { checkList, checkText, Fields, invalidField } from "./fields"
import { isJsonObject, type JsonObject } from "./body/json-body"
import { checkNested } from "./nested-value"

const BOUND = { maxLength: MOST_CONSTRAINT_CHARACTERS }

/** vLLM's older names of what `structured_outputs` has. */
const GUIDED = {
  json: "guided_json",
  regex: "guided_regex",
  choice: "guided_choice",
  grammar: "guided_grammar",
} as const

interface Named {
  readonly name: string
  readonly constraint: OutputConstraint
}

/**
 * What the answer must be, from any of the names for it: `response_format` (OpenAI), `json_schema` and `grammar`
 * (llama-server), `structured_outputs` and `guided_…` (vLLM).
 * @throws InvalidRequest if a value is wrong, or several are given
 */
export function readOutputConstraint(fields: Fields): OutputConstraint | undefined {
  const named = [
    ...fromResponseFormat(fields),
    ...fromSchema("json_schema", parsed(fields.unchecked("json_schema") ?? undefined, "json_schema")),
    ...fromGrammar("grammar", fields.text("grammar", BOUND)),
    ...fromStructuredOutputs(fields),
    ...fromGuided(fields),
  ]
  const [first, second] = named
  if (first !== undefined && second !== undefined)
    throw new InvalidRequest(
      `${first.name} and ${second.name} cannot be combined: both say what the answer must be`,
      second.name,
    )
  return first?.constraint
}

function fromResponseFormat(fields: Fields): readonly Named[] {
  const given = fields.object("response_format")
  if (given === undefined) return []
  const format = new Fields(given, "response_format.")
  const name = "response_format"
  switch (format.choice("type", ["text", "json_object", "json_schema"] as const)) {
    case "text":
      return []
    case "json_object":
      // llama-server takes a schema here as well.
      return given["schema"] === undefined
        ? [{ name, constraint: { type: "json" } }]
        : fromSchema(`${name}.schema`, given["schema"])
    case "json_schema": {
      const inner = format.object("json_schema")
      const schema = inner === undefined ? given["schema"] : inner["schema"]
      if (schema === undefined)
        throw new InvalidRequest(
          "response_format.json_schema.schema is required: the schema of the answer",
          name,
        )
      const isStrict = new Fields(inner ?? given, `${name}.json_schema.`).boolean("strict") ?? false
      return fromSchema(`${name}.json_schema.schema`, schema, isStrict)
    }
    default:
      throw new InvalidRequest("response_format.type is required: text, json_object or json_schema", name)
  }
}

function fromStructuredOutputs(fields: Fields): readonly Named[] {
  const given = fields.object("structured_outputs")
  if (given === undefined) return []
  const path = "structured_outputs."
  const outputs = new Fields(given, path)
  // How much space stands between tokens is bounded, but not chosen.
  outputs.text("whitespace_pattern", BOUND)
  const isObject = outputs.boolean("json_object") ?? false
  const object: Named = { name: `${path}json_object`, constraint: { type: "json" } }
  return [
    ...fromSchema(`${path}json`, parsed(given["json"] ?? undefined, `${path}json`)),
    ...fromRegex(`${path}regex`, outputs.text("regex", BOUND)),
    ...fromChoice(`${path}choice`, given["choice"] ?? undefined),
    ...fromGrammar(`${path}grammar`, outputs.text("grammar", BOUND)),
    ...(isObject ? [object] : []),
  ]
}

function fromGuided(fields: Fields): readonly Named[] {
  return [
    ...fromSchema(GUIDED.json, parsed(fields.unchecked(GUIDED.json) ?? undefined, GUIDED.json)),
    ...fromRegex(GUIDED.regex, fields.text(GUIDED.regex, BOUND)),
    ...fromChoice(GUIDED.choice, fields.unchecked(GUIDED.choice) ?? undefined),
    ...fromGrammar(GUIDED.grammar, fields.text(GUIDED.grammar, BOUND)),
  ]
}

/** A schema may also be text; an empty one means none. */
function parsed(schema: unknown, name: string): unknown {
  if (typeof schema !== "string") return schema
  if (schema === "") return undefined
  try {
    return JSON.parse(checkText(name, schema, BOUND))
  } catch (error) {
    if (error instanceof InvalidRequest) throw error
    throw invalidField(name, "a JSON schema", schema)
  }
}

function fromSchema(name: string, schema: unknown, isStrict = false): readonly Named[] {
  if (schema === undefined) return []
  if (!isJsonObject(schema) && typeof schema !== "boolean") throw invalidField(name, "a JSON schema", schema)
  checkSchema(name, schema)
  return [{ name, constraint: { type: "schema", schema: schema satisfies JsonObject | boolean, isStrict } }]
}

/**
 * Whether a schema may be passed on; its parts are checked where it is compiled.
 * @throws InvalidRequest if it is too large, or too deep to be read
 */
export function checkSchema(name: string, schema: unknown): void {
  checkNested(name, schema, SCHEMA)
  checkLength(name, JSON.stringify(schema).length)
}

function fromRegex(name: string, pattern: string | undefined): readonly Named[] {
  return pattern === undefined ? [] : [{ name, constraint: { type: "regex", pattern } }]
}

function fromGrammar(name: string, source: string | undefined): readonly Named[] {
  // llama-server's own page sends an empty one.
  return source === undefined || source === "" ? [] : [{ name, constraint: { type: "grammar", source } }]
}

function fromChoice(name: string, given: unknown): readonly Named[] {
  if (given === undefined) return []
  const choices = checkList(name, given, COUNTS.alternatives)
  if (choices.length === 0 || !choices.every((choice) => typeof choice === "string"))
    throw invalidField(name, "a list of texts", given)
  checkLength(
    name,
    choices.reduce((sum, choice) => sum + choice.length, 0),
  )
  return [{ name, constraint: { type: "choice", choices } }]
}

function checkLength(name: string, length: number): void {
  if (length > MOST_CONSTRAINT_CHARACTERS)
    throw new InvalidRequest(
      `${name} must have at most ${MOST_CONSTRAINT_CHARACTERS} characters, got ${length}`,
      name,
    )
}
