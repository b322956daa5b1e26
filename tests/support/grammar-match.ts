import { includes } from "../../src/grammar/characters"
import type { GrammarNode } from "../../src/grammar/node"
import type { Grammar } from "../../src/grammar/print"

/** Does the grammar match the whole text? Slow and simple: for tests of grammars, not for their use. */
export function matches({ rules }: Grammar, text: string): boolean {
  const characters = Array.from(text, (character) => character.codePointAt(0) ?? 0)
  const known = new Map<string, ReadonlySet<number>>()

  function ends(node: GrammarNode, starts: ReadonlySet<number>): ReadonlySet<number> {
    switch (node.type) {
      case "text":
        return advance(
          starts,
          Array.from(node.text, (each) => each.codePointAt(0) ?? 0),
        )
      case "characters":
        return new Set(
          [...starts].flatMap((at) => {
            const code = characters[at]
            return code !== undefined && includes(node.set, code) ? [at + 1] : []
          }),
        )
      case "token":
        return new Set()
      case "rule":
        return new Set([...starts].flatMap((at) => [...ofRule(node.name, at)]))
      case "sequence":
        return node.nodes.reduce((at, each) => (at.size === 0 ? at : ends(each, at)), starts)
      case "any-of":
        return new Set(node.nodes.flatMap((each) => [...ends(each, starts)]))
      case "repeat": {
        let at = starts
        for (let count = 0; count < node.min; count++) at = ends(node.node, at)
        const all = new Set(at)
        for (let count = node.min; count < node.max && at.size > 0; count++) {
          at = new Set([...ends(node.node, at)].filter((end) => !all.has(end)))
          for (const end of at) all.add(end)
        }
        return all
      }
      default:
        return node satisfies never
    }
  }

  function advance(starts: ReadonlySet<number>, codes: readonly number[]): ReadonlySet<number> {
    return new Set(
      [...starts].flatMap((at) =>
        codes.every((code, index) => characters[at + index] === code) ? [at + codes.length] : [],
      ),
    )
  }

  function ofRule(name: string, at: number): ReadonlySet<number> {
    const key = `${name} ${at}`
    const found = known.get(key)
    if (found !== undefined) return found
    const node = rules.get(name)
    if (node === undefined) throw new Error(`there is no rule ${name}`)
    const result = ends(node, new Set([at]))
    known.set(key, result)
    return result
  }

  return ofRule("root", 0).has(characters.length)
}
