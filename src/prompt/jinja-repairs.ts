/**
 * Rewrites parsed templates where \@huggingface/jinja 0.5.11 knows less than Jinja: chat templates in the wild use
 * these, and a model whose template does not run would lose its own format. Each rule replaces an expression by one
 * with the same meaning that the interpreter can evaluate.
 */

/** A node of the syntax tree; the package does not export its types. The interpreter looks at `type` and fields only. */
interface Node {
  readonly type: string
  readonly [field: string]: unknown
}

/** Name that a repaired `text.format(…)` calls; the interpreter's scope must have it. */
export const FORMAT_FUNCTION = "__format"

const RULES: Readonly<Record<string, (node: Node) => Node>> = {
  // An undefined value is an empty list to a loop.
  For: (node) => ({ ...node, iterable: emptyWhereUndefined(node["iterable"]) }),
  // Only lists can be unpacked and indexed.
  TupleLiteral: (node) => ({ ...node, type: "ArrayLiteral" }),
  // Only texts can be keys.
  ObjectLiteral: (node) => ({ ...node, value: withTextKeys(node["value"]) }),
  FilterExpression: repairFilter,
  CallExpression: repairCall,
}

/** Filters that are another one's first element. */
const FIRST_OF: Readonly<Record<string, readonly string[]>> = {
  min: ["sort", "first"],
  max: ["sort", "last"],
}

/** The same tree with every gap filled; `tree` itself stays as it is. */
export function repairTemplate<Tree>(tree: Tree): Tree {
  // A rewritten tree has the shape of the one it was made from.
  return rewrite(tree, true) as Tree
}

function rewrite(value: unknown, applyRule: boolean): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => rewrite(item, true))
  if (value instanceof Map) {
    return new Map([...value].map(([key, item]) => [rewrite(key, true), rewrite(item, true)]))
  }
  if (!isNode(value)) return value
  const fields = Object.entries(value).map(([field, item]) => [field, rewrite(item, !isTarget(field))])
  // Fields of one node, renamed by nobody.
  const node = Object.fromEntries(fields) as Node
  return applyRule ? (RULES[node.type]?.(node) ?? node) : node
}

/** Tuples that are assigned to are not values. */
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
  // `string` is unknown for mappings alone.
  const isMapping: Node = { type: "TestExpression", operand, negate: false, test: identifier("mapping") }
  const json = filtered(operand, identifier("tojson"))
  return { type: "Ternary", condition: isMapping, trueExpr: json, falseExpr: node }
}

function repairCall(node: Node): Node {
  const { callee, args } = node
  if (!isNode(callee) || callee.type !== "MemberExpression" || callee["computed"] === true) return node
  const { object, property } = callee
  const isFormat = isNode(property) && property["value"] === "format"
  if (!isFormat || !Array.isArray(args)) return node
  return {
    type: "CallExpression",
    callee: identifier(FORMAT_FUNCTION),
    args: [object, ...(args as unknown[])],
  }
}
