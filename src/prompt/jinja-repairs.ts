import { COMPARE_FUNCTION, FORMAT_FUNCTION, LIST_METHODS } from "./jinja-functions"

/**
 * Rewrites parsed templates where \@huggingface/jinja 0.5.11 supports less than Jinja: published chat
 * templates use these features, and a model whose template fails would lose its own format. Each rule
 * replaces an expression by an equivalent one that the interpreter can evaluate.
 */

/**
 * A node of the syntax tree; the package does not export its types. The interpreter reads only `type` and the
 * fields.
 */
interface Node {
  readonly type: string
  readonly [field: string]: unknown
}

const RULES: Readonly<Record<string, (node: Node) => Node>> = {
  // Loops treat an undefined value as an empty list.
  For: (node) => ({ ...node, iterable: emptyWhereUndefined(node["iterable"]) }),
  // The interpreter can unpack and index only lists.
  TupleLiteral: (node) => ({ ...node, type: "ArrayLiteral" }),
  // The interpreter accepts only strings as keys.
  ObjectLiteral: (node) => ({ ...node, value: withTextKeys(node["value"]) }),
  FilterExpression: repairFilter,
  BinaryExpression: repairComparison,
  CallExpression: repairCall,
}

const COMPARISONS: ReadonlySet<string> = new Set(["<", "<=", ">", ">="])

/** Filters that are an alias for the first element of another filter. */
const FIRST_OF: Readonly<Record<string, readonly string[]>> = {
  min: ["sort", "first"],
  max: ["sort", "last"],
}

/** Returns a repaired copy; `tree` is not changed. */
export function repairTemplate<Tree>(tree: Tree): Tree {
  // The rewritten tree has the same shape as the original.
  return rewrite(tree, true) as Tree
}

function rewrite(value: unknown, applyRule: boolean): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => rewrite(item, true))
  if (value instanceof Map) {
    return new Map([...value].map(([key, item]) => [rewrite(key, true), rewrite(item, true)]))
  }
  if (!isNode(value)) return value
  const fields = Object.entries(value).map(([field, item]) => [field, rewrite(item, !isTarget(field))])
  // The fields of one node, with the same names.
  const node = Object.fromEntries(fields) as Node
  return applyRule ? (RULES[node.type]?.(node) ?? node) : node
}

/** Tuples on the left of an assignment are not values. */
function isTarget(field: string): boolean {
  return field === "loopvar" || field === "assignee"
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string"
}

function identifier(name: string): Node {
  return { type: "Identifier", value: name }
}

function filtered(operand: unknown, filter: Node): Node {
  return { type: "FilterExpression", operand, filter }
}

function emptyWhereUndefined(iterable: unknown): unknown {
  if (isNode(iterable) && iterable.type === "SelectExpression") {
    return { ...iterable, lhs: emptyWhereUndefined(iterable["lhs"]) }
  }
  const empty: Node = { type: "ArrayLiteral", value: [] }
  return filtered(iterable, { type: "CallExpression", callee: identifier("default"), args: [empty] })
}

function withTextKeys(entries: unknown): unknown {
  if (!(entries instanceof Map)) return entries
  return new Map([...entries].map(([key, value]) => [asTextKey(key), value]))
}

function asTextKey(key: unknown): unknown {
  const isNumber = isNode(key) && key.type === "IntegerLiteral"
  return isNumber ? { type: "StringLiteral", value: String(key["value"]) } : key
}

function repairFilter(node: Node): Node {
  const { operand, filter } = node
  if (!isNode(filter) || filter.type !== "Identifier") return node
  const name = String(filter["value"])
  const steps = FIRST_OF[name]
  if (steps !== undefined)
    return steps.reduce((inner, step) => filtered(inner, identifier(step)), operand) as Node
  if (name !== "string") return node
  // The interpreter lacks the `string` filter only for mappings.
  const isMapping: Node = { type: "TestExpression", operand, negate: false, test: identifier("mapping") }
  const json = filtered(operand, identifier("tojson"))
  return { type: "Ternary", condition: isMapping, trueExpr: json, falseExpr: node }
}

function repairCall(node: Node): Node {
  const { callee, args } = node
  if (!isNode(callee) || callee.type !== "MemberExpression" || callee["computed"] === true) return node
  const { object, property } = callee
  if (!isNode(property) || !Array.isArray(args)) return node
  const method = String(property["value"])
  const replacement = method === "format" ? FORMAT_FUNCTION : LIST_METHODS[method]
  return replacement === undefined ? node : called(replacement, [object, ...(args as unknown[])])
}

/** The interpreter compares numbers only. */
function repairComparison(node: Node): Node {
  const { operator, left, right } = node
  const sign = isNode(operator) ? String(operator["value"]) : ""
  return COMPARISONS.has(sign)
    ? called(COMPARE_FUNCTION, [{ type: "StringLiteral", value: sign }, left, right])
    : node
}

function called(name: string, args: readonly unknown[]): Node {
  return { type: "CallExpression", callee: identifier(name), args }
}
