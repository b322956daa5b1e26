import type { ToolUse } from "../../domain/tools"
import { jsonNotation } from "../../grammar/json"
import { anyOf, type GrammarNode, repeat, sequence, terminal } from "../../grammar/node"
import type { Grammar } from "../../grammar/print"
import { Rules } from "../../grammar/rules"
import { schemaNode } from "../../grammar/schema/compile"
import { type ControlToken, splitAtTokens } from "./control-tokens"
import type { Marker, ToolSyntax } from "./syntax"

/** STOPGAP */
export function toolGrammar(syntax: ToolSyntax, use: ToolUse, controls: readonly ControlToken[]): Grammar {
  const rules = new Rules()
  const notation = jsonNotation(rules)
  const nodes = (marker: Marker, name: string): GrammarNode =>
    sequence(
      ...marker.flatMap((part): GrammarNode[] => {
        if (part.type === "text")
          return splitAtTokens(part.text, controls).map((each) =>
            typeof each === "string" ? terminal(each) : { type: "token", id: each.id },
          )
        if (part.type === "name") return [terminal(name)]
        if (part.type === "index") return [terminal("0")]
        return [terminal("abcdefghi")]
      }),
    )
  const calls = use.tools
    .filter(({ name }) => use.callable?.includes(name) ?? true)
    .map(({ name, parameters = { type: "object" } }) => {
      const { start, nameEnd, end } = syntax.call
      return sequence(
        nodes(start, name),
        terminal(name),
        nodes(nameEnd, name),
        schemaNode(parameters, rules, notation).node,
        nodes(end, name),
      )
    })
  const call = rules.add("call", anyOf(...calls))
  const more = sequence(nodes(syntax.separator, ""), call)
  const most = syntax.isParallel && use.isParallel ? Number.POSITIVE_INFINITY : 0
  return rules.grammar(
    sequence(nodes(syntax.sectionStart, ""), call, repeat(more, 0, most), nodes(syntax.sectionEnd, "")),
  )
}
