/** Why a grammar cannot be used: a phrase. */
export class LarkError extends Error {}

export type LarkToken =
  | { readonly type: "name" | "mark" | "number" | "directive"; readonly text: string }
  /** `flags`: `i` of a text, more of an expression. */
  | { readonly type: "text" | "expression"; readonly text: string; readonly flags: string }

/** In the order in which they are tried. */
const TOKENS = [
  ["skipped", /(?:[ \t\r\n]+|\/\/[^\n]*|#[^\n]*)/y],
  ["name", /[!?]{0,2}_{0,2}[A-Za-z][A-Za-z0-9_]*/y],
  ["text", /"((?:[^"\\\n]|\\.)*)"(i?)/y],
  ["expression", /\/((?:[^/\\\n]|\\.)+)\/([imslux]*)/y],
  ["directive", /%[a-z]+/y],
  ["number", /-?\d+/y],
  ["mark", /->|\.\.|[:|()[\]*+?~,.{}]/y],
] as const

/** The tokens of a grammar in Lark's notation. @throws LarkError */
export function lexLark(source: string): readonly LarkToken[] {
  const tokens: LarkToken[] = []
  for (let at = 0; at < source.length;) {
    const found = tokenAt(source, at)
    if (found === undefined) throw new LarkError(`'${source.slice(at, at + 20)}' is not Lark's notation`)
    at = found.end
    if (found.token !== undefined) tokens.push(found.token)
  }
  return tokens
}

function tokenAt(source: string, at: number) {
  for (const [type, pattern] of TOKENS) {
    pattern.lastIndex = at
    const match = pattern.exec(source)
    if (match === null) continue
    const [text, inner = "", flags = ""] = match
    const end = pattern.lastIndex
    if (type === "skipped") return { end }
    if (type === "text" || type === "expression") return { end, token: { type, text: inner, flags } as const }
    return { end, token: { type, text } as const }
  }
  return undefined
}
