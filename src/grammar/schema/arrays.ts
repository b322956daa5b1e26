import { IMPOSSIBLE, isImpossible, type GrammarNode, NOTHING, optional, repeat, sequence } from "../node"
import type { SchemaScope } from "./compile"
import { countable } from "./scalars"
import { asSchema, at, countKeyword, type Schema, schemaList, type SchemaObject, wrong } from "./document"

/** @throws InvalidRequest */
export function arrayNode(scope: SchemaScope, schema: SchemaObject, path: string): GrammarNode {
  const { space, arrays } = scope.notation
  const least = countKeyword(schema, "minItems", path) ?? 0
  const most = countKeyword(schema, "maxItems", path) ?? Number.POSITIVE_INFINITY
  if (least > most) throw wrong(at(path, "minItems"), "must not be above maxItems", least)
  const min = countable(scope, least, at(path, "minItems")) ?? 0
  const max = countable(scope, most, at(path, "maxItems")) ?? Number.POSITIVE_INFINITY
  const { prefix, rest } = itemsIn(schema, path)
  const items = prefix.map((item, index) =>
    itemOf(`item-${index}`, scope.inner(item, at(path, "prefixItems", String(index)))),
  )
  const others = itemOf("item", scope.inner(rest, at(path, "items")))
  const parts = { items, others, min, max, separator: arrays.separator }
  const list = wantedIn(parts) ?? listOf(parts)
  return isImpossible(list) ? IMPOSSIBLE : sequence(arrays.open, space, list, space, arrays.close)

  /** With one item that `contains` is about, at any place. */
  function wantedIn({ separator }: ListParts): GrammarNode | undefined {
    const { contains, minContains = 1, maxContains } = schema
    if (contains === undefined) return undefined
    const place = at(path, "contains")
    const isPlain = items.length === 0 && min <= 1 && max === Number.POSITIVE_INFINITY
    if (!isPlain || minContains !== 1 || maxContains !== undefined) {
      scope.unenforced(place, "it stands beside other rules for items")
      return undefined
    }
    const wanted = itemOf("wanted", scope.inner({ allOf: [rest, asSchema(contains, place)] }, place))
    const any = repeat(sequence(others, separator), 0, Number.POSITIVE_INFINITY)
    return sequence(any, wanted, repeat(sequence(separator, others), 0, Number.POSITIVE_INFINITY))
  }

  function itemOf(hint: string, value: GrammarNode): GrammarNode {
    return isImpossible(value) ? IMPOSSIBLE : scope.rules.add(hint, arrays.item(value))
  }
}

interface ListParts {
  /** The first items, each of its own kind. */
  readonly items: readonly GrammarNode[]
  readonly others: GrammarNode
  readonly min: number
  readonly max: number
  readonly separator: GrammarNode
}

function listOf({ items, others, min, max, separator }: ListParts): GrammarNode {
  /** What follows `count` items. */
  const after = (count: number): GrammarNode => {
    if (count >= max) return NOTHING
    const item = items[count]
    const before = count === 0 ? NOTHING : separator
    if (item === undefined && count > 0)
      return repeat(sequence(separator, others), Math.max(0, min - count), max - count)
    const more = sequence(before, item ?? others, after(count + 1))
    return count >= min ? optional(more) : more
  }
  return after(0)
}

/** `prefixItems`, or the list that `items` was in earlier drafts, and what follows it. */
function itemsIn(
  schema: SchemaObject,
  path: string,
): { readonly prefix: readonly Schema[]; readonly rest: Schema } {
  if (Array.isArray(schema["items"]))
    return {
      prefix: schemaList(schema, "items", path),
      rest: asSchema(schema["additionalItems"] ?? true, at(path, "additionalItems")),
    }
  return {
    prefix: schemaList(schema, "prefixItems", path),
    rest: asSchema(schema["items"] ?? true, at(path, "items")),
  }
}
