import { GRAMMAR_DEPTH, MOST_SCHEMA_PARTS } from "../../limits"
import { jsonNotation } from "../json"
import { anyOf, IMPOSSIBLE, isImpossible, type GrammarNode, terminal } from "../node"
import { booleans, exactly, type JsonType, type Notation, oneOfScalars } from "../notation"
import { type Grammar } from "../print"
import { Rules } from "../rules"
import { usable } from "../usable"
import { arrayNode } from "./arrays"
import { areDisjoint } from "./disjoint"
import { asSchema, at, resolveReference, type Schema, schemaList, type SchemaObject, wrong } from "./document"
import { ANNOTATIONS, CannotMerge, isEqual, merged } from "./merge"
import { objectNode } from "./objects"
import { numberNode, stringNode } from "./scalars"
import { Validator } from "./validate"
import { excludedTypes, typesOf } from "./values"

/** A keyword that the grammar does not enforce. */
export interface Unenforced {
  /** A JSON pointer to the keyword. */
  readonly path: string
  readonly reason: string
}

export interface CompiledSchema {
  readonly grammar: Grammar
  readonly unenforced: readonly Unenforced[]
}

/**
 * The grammar of the JSON texts that a schema allows. Every text of the grammar is valid, apart from the keywords
 * listed as not enforced; not every valid text is one of the grammar: properties come in the schema's order, and
 * without `additionalProperties` there are no others.
 * @throws InvalidRequest for what is no JSON Schema, and for one that is too large
 */
export function compileSchema(value: unknown): CompiledSchema {
  const rules = new Rules()
  const { node, unenforced, places } = schemaNode(value, rules, jsonNotation(rules))
  return { grammar: usable(rules.grammar(node), "schema", places), unenforced }
}

export interface SchemaNode {
  readonly node: GrammarNode
  readonly unenforced: readonly Unenforced[]
  /** The paths of the parts that references name, by the names of their rules. */
  readonly places: ReadonlyMap<string, string>
}

/**
 * A schema as a part of a larger grammar: adds its rules to `rules`, of which `notation` has added its own.
 * @throws InvalidRequest
 */
export function schemaNode(value: unknown, rules: Rules, notation: Notation): SchemaNode {
  return new SchemaCompiler(asSchema(value, "#"), rules, notation).compile()
}

/** Keywords that no grammar can enforce. Those of objects are reported where they are read. */
const UNENFORCEABLE = [
  "not",
  "if",
  "uniqueItems",
  "dependentRequired",
  "dependentSchemas",
  "dependencies",
  "unevaluatedItems",
  "$dynamicRef",
] as const

/** What the parts of the compiler need from it. */
export interface SchemaScope {
  readonly rules: Rules
  /** How values are written in the current place. */
  readonly notation: Notation
  /** The texts that the schema of a member or item allows. */
  inner(schema: Schema, path: string): GrammarNode
  /** Notes a keyword that is not enforced. */
  unenforced(path: string, reason: string): void
}

class SchemaCompiler implements SchemaScope {
  readonly rules: Rules
  notation: Notation
  readonly #root: Schema
  readonly #validator: Validator
  readonly #unenforced = new Map<string, Unenforced>()
  /** Rules of referenced parts, by their paths: a part may refer to itself. */
  readonly #referenced = new Map<string, GrammarNode>()
  readonly #places = new Map<string, string>()
  #parts = 0
  #depth = 0

  constructor(root: Schema, rules: Rules, notation: Notation) {
    this.#root = root
    this.#validator = new Validator(root, (path) =>
      this.unenforced(path, "not all listed values are known to match it"),
    )
    this.rules = rules
    this.notation = notation
  }

  compile(): SchemaNode {
    const node = this.#value(this.#root, "#")
    return { node, unenforced: [...this.#unenforced.values()], places: this.#places }
  }

  unenforced(path: string, reason: string): void {
    this.#unenforced.set(path, { path, reason })
  }

  inner(schema: Schema, path: string): GrammarNode {
    const outer = this.notation
    this.notation = outer.inner
    try {
      return this.#value(schema, path)
    } finally {
      this.notation = outer
    }
  }

  #value(schema: Schema, path: string): GrammarNode {
    if (schema === true) return this.notation.any
    if (schema === false) return IMPOSSIBLE
    if (++this.#parts > MOST_SCHEMA_PARTS) throw wrong(path, `has more than ${MOST_SCHEMA_PARTS} parts`)
    if (++this.#depth > GRAMMAR_DEPTH) throw wrong(path, `is nested more than ${GRAMMAR_DEPTH} levels deep`)
    try {
      return this.#whole(schema, path)
    } finally {
      this.#depth--
    }
  }

  /** Takes the schema apart until it has neither references nor alternatives. */
  #whole(schema: SchemaObject, path: string): GrammarNode {
    const { $ref, allOf, anyOf: any, oneOf, ...own } = schema
    const isAlone = Object.keys(own).every((key) => ANNOTATIONS.has(key))
    if ($ref !== undefined && isAlone && allOf === undefined && any === undefined && oneOf === undefined)
      return this.#reference($ref, path)
    if ($ref !== undefined) {
      const { $ref: _, ...rest } = schema
      return this.#combined([{ $ref }, rest], path)
    }
    if (allOf !== undefined) {
      const { allOf: _, ...rest } = schema
      return this.#combined([rest, ...schemaList(schema, "allOf", path)], path)
    }
    if (any !== undefined) return this.#alternatives(schema, "anyOf", isAlone && oneOf === undefined, path)
    if (oneOf !== undefined) return this.#alternatives(schema, "oneOf", isAlone, path)
    return this.#plain(schema, path)
  }

  #reference(reference: unknown, path: string): GrammarNode {
    const target = this.#resolve(reference, path)
    const key = `${this.notation.name} ${target.path}`
    const known = this.#referenced.get(key)
    if (known !== undefined) return known
    const name = this.rules.reserve(target.path.split("/").at(-1) ?? "part")
    const rule: GrammarNode = { type: "rule", name }
    this.#referenced.set(key, rule)
    this.#places.set(name, target.path)
    this.rules.define(name, this.#value(target.schema, target.path))
    return rule
  }

  #resolve(reference: unknown, path: string): ReturnType<typeof resolveReference> {
    if (typeof reference !== "string") throw wrong(at(path, "$ref"), "must be a text", reference)
    return resolveReference(this.#root, reference, at(path, "$ref"))
  }

  #combined(schemas: readonly Schema[], path: string): GrammarNode {
    try {
      // References are followed first: properties keep the order in which the schemas stand.
      const found = schemas.map((each) => this.#withoutReference(each, path))
      return this.#value(
        found.reduce((sum, each) => merged(sum, each), true),
        path,
      )
    } catch (error) {
      if (!(error instanceof CannotMerge)) throw error
      this.unenforced(
        at(path, "allOf"),
        `it demands two values of ${error.key}, of which only the first is enforced`,
      )
      return this.#value(schemas.find((each) => each !== true && Object.keys(each).length > 0) ?? true, path)
    }
  }

  #alternatives(schema: SchemaObject, key: "anyOf" | "oneOf", isAlone: boolean, path: string): GrammarNode {
    const { [key]: _, ...rest } = schema
    const list = schemaList(schema, key, path)
    if (list.length === 0) throw wrong(at(path, key), "must not be empty")
    const resolved = list.map((each) => this.#withoutReference(each, at(path, key)))
    if (
      key === "oneOf" &&
      !resolved.every((one, index) => resolved.slice(index + 1).every((other) => areDisjoint(one, other)))
    )
      this.unenforced(at(path, key), "values that match more than one of them are not excluded; use anyOf")
    const nodes = list.map((each, index) => {
      const place = at(path, key, String(index))
      return isAlone ? this.#value(each, place) : this.#combined([rest, each], place)
    })
    return anyOf(...nodes.filter((node) => !isImpossible(node)))
  }

  #withoutReference(schema: Schema, path: string): Schema {
    if (typeof schema === "boolean" || typeof schema["$ref"] !== "string") return schema
    const isAlone = Object.keys(schema).every((key) => key === "$ref" || ANNOTATIONS.has(key))
    return isAlone ? resolveReference(this.#root, schema["$ref"], path).schema : schema
  }

  #plain(schema: SchemaObject, path: string): GrammarNode {
    if (schema["const"] !== undefined || schema["enum"] !== undefined) return this.#listed(schema, path)
    const excluded = excludedTypes(schema, at(path, "not"))
    for (const key of UNENFORCEABLE) {
      const value = schema[key]
      if (value !== undefined && value !== false && (key !== "not" || excluded === undefined))
        this.unenforced(at(path, key), "it cannot be enforced while text is generated")
    }
    const types = typesOf(schema, path).filter((type) => excluded?.has(type) !== true)
    const nodes = types.map((type) => [type, this.#ofType(type, schema, path)] as const)
    const possible = nodes.filter(([, node]) => !isImpossible(node))
    return anyOf(...possible.map(([type, node]) => this.notation.typed(jsonTypeOf(type), node)))
  }

  #ofType(type: string, schema: SchemaObject, path: string): GrammarNode {
    switch (type) {
      case "object":
        return objectNode(this, schema, path)
      case "array":
        return arrayNode(this, schema, path)
      case "string":
        return stringNode(this, schema, path)
      case "integer":
      case "number":
        return numberNode(this, schema, path, type)
      case "boolean":
        return booleans(this.notation)
      case "null":
        return terminal(this.notation.literal(null))
      default:
        throw wrong(at(path, "type"), "must be object, array, string, integer, number, boolean or null", type)
    }
  }

  /** `enum` and `const`: the listed values that all other keywords allow. */
  #listed(schema: SchemaObject, path: string): GrammarNode {
    const { const: only, enum: list, ...rest } = schema
    if (list !== undefined && !Array.isArray(list)) throw wrong(at(path, "enum"), "must be a list", list)
    const values = (list === undefined ? [only] : (list as readonly unknown[])).filter(
      (value) => (only === undefined || isEqual(only, value)) && this.#validator.accepts(rest, value, path),
    )
    const { notation } = this
    const isScalar = (value: unknown): boolean => typeof value !== "object" || value === null
    const scalars = values.filter(isScalar)
    const others = values.filter((value) => !isScalar(value)).map((value) => exactly(value, notation))
    return anyOf(...(scalars.length === 0 ? [] : [oneOfScalars(scalars, notation)]), ...others)
  }
}

function jsonTypeOf(type: string): JsonType {
  return type === "integer" ? "number" : (type as JsonType)
}
