const SPACE = /[ \t\n\r]*/y
const STRING = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y

/** What may stand at a place in a JSON text. `closing`: the bracket that would end an empty array or object. */
type Expected = "value" | "value or closing" | "key" | "key or closing" | "colon" | "comma or closing"

/**
 * The line, from 1, at which a text stops being valid JSON, which the parser does not report; of a bracket or a quote
 * that is never closed, the line where it is opened. Undefined for valid JSON.
 */
export function jsonFaultLine(text: string): number | undefined {
  const fault = faultOf(text)
  return fault === undefined ? undefined : text.slice(0, fault).split("\n").length
}

/** The offset of the first character that cannot stand where it does. */
function faultOf(text: string): number | undefined {
  /** Offsets of the brackets that are open. */
  const open: number[] = []
  let expected: Expected = "value"
  let at = skip(SPACE, text, 0) ?? 0
  for (;;) {
    if (at >= text.length) return open.length > 0 || expected === "value" ? (open.at(-1) ?? 0) : undefined
    const char = text[at]
    const isInObject = text[open.at(-1) ?? text.length] === "{"
    let end: number | undefined = at + 1
    if (char === (isInObject ? "}" : "]") && open.length > 0 && expected.endsWith("closing")) {
      open.pop()
      expected = "comma or closing"
    } else if (expected === "colon") {
      if (char !== ":") return at
      expected = "value"
    } else if (expected === "comma or closing") {
      if (char !== "," || open.length === 0) return at
      expected = isInObject ? "key" : "value"
    } else if (expected.startsWith("key")) {
      end = skip(STRING, text, at)
      expected = "colon"
    } else if (char === "{" || char === "[") {
      open.push(at)
      expected = char === "{" ? "key or closing" : "value or closing"
    } else {
      end = skip(STRING, text, at) ?? skip(SCALAR, text, at)
      expected = "comma or closing"
    }
    if (end === undefined) return at
    at = skip(SPACE, text, end) ?? end
  }
}

/** The offset after a match of the sticky pattern at `at`. */
function skip(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : undefined
}
