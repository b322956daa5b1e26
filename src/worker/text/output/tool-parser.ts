import type { Tool } from "../../../domain/tools"
import { ToolCallParser } from "../../../prompt/tools/tool-call-parser"
import type { PreparedCalls } from "../prompt/prepared"
import type { OutputParser, PartWriter } from "./parser"

/** Divides what an answer says into text and calls. */
export class ToolOutputParser implements OutputParser {
  readonly #parser: ToolCallParser
  #parts: PartWriter | undefined
  #isInText = false

  /** `tools`: those that may be called. */
  constructor({ syntax, controls, earlierIds }: PreparedCalls, tools: readonly Tool[]) {
    this.#parser = new ToolCallParser({
      syntax,
      tools,
      controlTokens: controls,
      earlier: { ids: new Set(earlierIds), count: earlierIds.length },
      sink: {
        text: (text) => this.#text(text),
        startCall: (call) => {
          this.#endText()
          this.#parts?.start({ part: "tool-call", ...call })
        },
        argumentsText: (json) => this.#parts?.text(json),
        endCall: () => this.#parts?.end(),
      },
    })
  }

  push(text: string, parts: PartWriter): void {
    this.#parts = parts
    this.#parser.push(text)
  }

  control(token: number, name: string, parts: PartWriter): void {
    this.#parts = parts
    if (!this.#parser.token(token) && name !== "") this.#parser.push(name)
  }

  end(parts: PartWriter): void {
    this.#parts = parts
    this.#parser.end()
    this.#endText()
  }

  #text(text: string): void {
    if (!this.#isInText) this.#parts?.start({ part: "text" })
    this.#isInText = true
    this.#parts?.text(text)
  }

  #endText(): void {
    if (this.#isInText) this.#parts?.end()
    this.#isInText = false
  }
}
