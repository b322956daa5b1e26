import type { Tool } from "../../../src/domain/tools"
import type { ToolSyntax } from "../../../src/prompt/tools/syntax"
import { type EndOfCall, ToolCallParser, type ToolCallSink } from "../../../src/prompt/tools/tool-call-parser"
import { TOOLS } from "./families"

export interface ReadCall {
  readonly id: string
  readonly name: string
  json: string
  end?: EndOfCall
}

/** Collects what a parser reads. */
export class Reader implements ToolCallSink {
  content = ""
  readonly calls: ReadCall[] = []
  readonly pieces: string[] = []

  text(text: string): void {
    this.content += text
    this.pieces.push(text)
  }

  startCall(call: { readonly id: string; readonly name: string }): void {
    this.calls.push({ ...call, json: "" })
    this.pieces.push(`<${call.name}>`)
  }

  argumentsText(json: string): void {
    const last = this.calls.at(-1)
    if (last === undefined || last.end !== undefined) throw new Error("arguments outside a call")
    last.json += json
    this.pieces.push(json)
  }

  endCall(end: EndOfCall): void {
    const last = this.calls.at(-1)
    if (last === undefined || last.end !== undefined) throw new Error("no call to end")
    last.end = end
  }
}

export function read(syntax: ToolSyntax, pieces: readonly string[], tools: readonly Tool[] = TOOLS): Reader {
  const reader = new Reader()
  const parser = new ToolCallParser({ syntax, tools, sink: reader })
  for (const piece of pieces) parser.push(piece)
  parser.end()
  return reader
}

/** Numbers from 0 to 1 that are the same in every run (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
