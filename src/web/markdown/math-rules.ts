import type { MarkdownIt } from "markdown-it"

/** Formulas in the notations that models use: `$…$`, `$$…$$`, `\(…\)` and `\[…\]`. Their token is `math`. */
export function mathRules(markdown: MarkdownIt): void {
  markdown.inline.ruler.before("escape", "math", (state, silent) => {
    const found = formulaAt(state.src, state.pos)
    if (found === undefined) return false
    if (!silent) {
      const token = state.push("math", "math", 0)
      token.content = found.formula
      token.markup = found.isDisplayed ? "block" : ""
    }
    state.pos += found.length
    return true
  })
  // A displayed formula may have empty lines and lines that would begin a list, so it is a block of its own.
  markdown.block.ruler.before(
    "fence",
    "math_block",
    (state, startLine, endLine, silent) => {
      const lineAt = (line: number) =>
        state.src.slice((state.bMarks[line] ?? 0) + (state.tShift[line] ?? 0), state.eMarks[line])
      const first = lineAt(startLine).trim()
      const close = first.startsWith("$$") ? "$$" : first.startsWith("\\[") ? "\\]" : undefined
      if (close === undefined) return false
      // Marks in a line of their own open a formula as a fence opens code: what follows is part of it until its end,
      // or the text's. Otherwise it is one paragraph.
      const isFence = first.length === 2
      const lines: string[] = []
      let next = startLine
      for (let isClosed = false; !isClosed; next++) {
        const text = next === startLine ? first.slice(2) : lineAt(next).trimEnd()
        isClosed = (next > startLine || !isFence) && text.endsWith(close)
        if (next === endLine || (!isFence && (text === "" || (!isClosed && text.includes(close))))) {
          if (!isFence) return false
          break
        }
        lines.push(isClosed ? text.slice(0, -2) : text)
      }
      if (silent) return true
      const token = state.push("math", "math", 0)
      token.content = lines.join("\n").trim()
      token.markup = "block"
      token.block = true
      token.map = [startLine, next]
      state.line = next
      return true
    },
    { alt: ["paragraph", "reference", "blockquote", "list"] },
  )
}

const PAIRS = [
  { open: "$$", close: "$$", isDisplayed: true },
  { open: "\\[", close: "\\]", isDisplayed: true },
  { open: "\\(", close: "\\)", isDisplayed: false },
  { open: "$", close: "$", isDisplayed: false },
] as const

/** Longer ones are shown as text: without an end of their own each would be looked for through the whole text. */
const LONGEST = 2000

function formulaAt(text: string, at: number) {
  const code = text.charCodeAt(at)
  if (code !== 0x24 && code !== 0x5c) return undefined
  const pair = PAIRS.find(({ open }) => text.startsWith(open, at))
  if (pair === undefined) return undefined
  const start = at + pair.open.length
  const window = text.slice(start, start + LONGEST)
  const end = window.indexOf(pair.close)
  if (end <= 0) return undefined
  const formula = window.slice(0, end)
  // Money, as in "$5 and $6": a formula has no spaces inside its marks, and no digit follows.
  if (pair.open === "$") {
    const after = window.charAt(end + 1)
    if (/^\s|\s$|\n\n/.test(formula) || /\d/.test(after)) return undefined
  }
  return {
    formula: formula.trim(),
    isDisplayed: pair.isDisplayed,
    length: start - at + end + pair.close.length,
  }
}
