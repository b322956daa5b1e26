import { parseMarkdown, type Token } from "./parser"
import { hold } from "./hold"

/** A part of a text that is shown as one: a paragraph, a list, a table, code. */
export interface MarkdownBlock {
  readonly key: number
  /** Another number for other content. */
  readonly version: number
  readonly content:
    | { readonly type: "tokens"; readonly tokens: readonly Token[] }
    | {
        readonly type: "code"
        readonly language: string
        readonly code: CodeText
        /** Its end has not come yet. */
        readonly isOpen: boolean
      }
}

/** Code in pieces of so many lines, of which only the last can change: a browser lays out one long text slowly. */
export interface CodeText {
  readonly pieces: readonly string[]
  readonly rest: string
}

const LINES_OF_PIECE = 200

const FENCE = /^ {0,3}(`{3,}|~{3,})([^\n`]*)\n/

interface OpenCode {
  readonly language: string
  readonly end: RegExp
  readonly pieces: string[]
  lines: number
  rest: string
}

/**
 * A growing Markdown text as blocks. A block is closed for good as soon as another follows it, so that only the last
 * one is ever parsed again. Links that are defined after their use stay text.
 */
export class MarkdownBlocks {
  readonly closed: MarkdownBlock[] = []
  /** The block that may still grow. */
  open: MarkdownBlock | undefined
  #tail = ""
  /** A carriage return at the end of what came: it may be half of a line break. */
  #return = ""
  #code: OpenCode | undefined
  #key = 0
  #version = 0

  /** @param isDone nothing more will come */
  append(text: string, isDone = false): void {
    const arrived = this.#return + text
    this.#return = !isDone && arrived.endsWith("\r") ? "\r" : ""
    this.#tail += arrived.slice(0, arrived.length - this.#return.length).replace(/\r\n?/g, "\n")
    this.#version++
    for (;;) {
      if (this.#code === undefined) this.#closeParsed()
      if (this.#code !== undefined && !this.#readCode(isDone)) break
      if (this.#code === undefined && !FENCE.test(this.#tail)) break
    }
    this.open = this.#openBlock(isDone)
    if (isDone && this.open !== undefined) {
      this.closed.push(this.open)
      this.open = undefined
      this.#tail = ""
      this.#code = undefined
    }
  }

  /** Closes all blocks before the last one, and takes a fence at the beginning of what is left. */
  #closeParsed(): void {
    for (;;) {
      const fence = FENCE.exec(this.#tail)
      if (fence !== null) {
        const [whole, marks = "", info = ""] = fence
        this.#code = {
          language: info.trim().split(/\s/)[0] ?? "",
          end: new RegExp(`^ {0,3}${marks.charAt(0)}{${marks.length},}[ \\t]*$`, "m"),
          pieces: [],
          lines: 0,
          rest: "",
        }
        this.#tail = this.#tail.slice(whole.length)
        return
      }
      // A text without a line break is one block.
      if (!this.#tail.includes("\n")) return
      const tokens = parseMarkdown(this.#tail)
      const starts = tokens.flatMap(({ level, nesting, map }, index) =>
        level === 0 && nesting >= 0 && map !== null ? [{ index, line: map[0] }] : [],
      )
      const last = starts.at(-1)
      if (last === undefined || starts.length < 2) return
      for (const [index, { index: from }] of starts.slice(0, -1).entries()) {
        const content = { type: "tokens", tokens: tokens.slice(from, starts[index + 1]?.index) } as const
        this.closed.push({ key: this.#key++, version: 0, content: asCode(content.tokens) ?? content })
      }
      this.#tail = afterLine(this.#tail, last.line)
      if (!FENCE.test(this.#tail)) return
    }
  }

  /** Takes whole lines of code. Returns whether the code ended. */
  #readCode(isDone: boolean): boolean {
    const code = this.#code
    if (code === undefined) return false
    const end = isDone ? this.#tail.length : this.#tail.lastIndexOf("\n") + 1
    const lines = this.#tail.slice(0, end)
    const close = code.end.exec(lines)
    addLines(code, close === null ? lines : lines.slice(0, close.index))
    if (close === null) {
      this.#tail = this.#tail.slice(end)
      return false
    }
    this.#tail = this.#tail.slice(close.index + close[0].length + 1)
    this.closed.push(this.#codeBlock(code, code.rest, false))
    this.#key++
    this.#code = undefined
    return true
  }

  #openBlock(isDone: boolean): MarkdownBlock | undefined {
    if (this.#code !== undefined) {
      // The line may become the end of the code.
      const rest = /^ {0,3}[`~]*$/.test(this.#tail) ? "" : this.#tail
      return this.#codeBlock(this.#code, this.#code.rest + rest, !isDone)
    }
    const text = isDone ? this.#tail : hold(this.#tail)
    if (text.trim() === "") return undefined
    const tokens = parseMarkdown(text)
    const content = (isDone ? asCode(tokens) : undefined) ?? ({ type: "tokens", tokens } as const)
    return { key: this.#key, version: this.#version, content }
  }

  #codeBlock(code: OpenCode, rest: string, isOpen: boolean): MarkdownBlock {
    const { language, pieces } = code
    return {
      key: this.#key,
      version: isOpen ? this.#version : 0,
      content: { type: "code", language, code: { pieces: [...pieces], rest }, isOpen },
    }
  }
}

/** All blocks of a text that is whole. */
export function blocksOf(text: string): readonly MarkdownBlock[] {
  const blocks = new MarkdownBlocks()
  blocks.append(text, true)
  return blocks.closed
}

/** Code that the parser found itself: indented, or with a fence that a block in front of it did not end. */
function asCode(tokens: readonly Token[]): MarkdownBlock["content"] | undefined {
  const [token] = tokens
  if (tokens.length !== 1 || (token?.type !== "fence" && token?.type !== "code_block")) return undefined
  const code = { pieces: [], lines: 0, rest: "" }
  addLines(code, token.content)
  return { type: "code", language: token.info.trim().split(/\s/)[0] ?? "", code, isOpen: false }
}

function addLines(code: Pick<OpenCode, "pieces" | "lines" | "rest">, text: string): void {
  let from = 0
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) {
    if (++code.lines < LINES_OF_PIECE) continue
    code.pieces.push(code.rest + text.slice(from, at + 1))
    code.rest = ""
    code.lines = 0
    from = at + 1
  }
  code.rest += text.slice(from)
}

function afterLine(text: string, line: number): string {
  let at = 0
  for (let index = 0; index < line; index++) at = text.indexOf("\n", at) + 1
  return text.slice(at)
}
