import type { Tool } from "../../../domain/tools"
import { beginsAsJson } from "../../../prompt/tools/bare-calls"
import { ToolCallParser } from "../../../prompt/tools/tool-call-parser"
import { triggersOf } from "../../../prompt/tools/syntax"
import type { PreparedCalls } from "../prompt/prepared"
import type { OutputParser, PartWriter } from "./parser"

/** Divides what an answer says into text and calls. */
export class ToolOutputParser implements OutputParser {
  readonly #parser: ToolCallParser
  #parts: PartWriter | undefined
  #isInText = false
  /** Nothing has come since the last call. */
  #isAfterCall = false
  /** What the parser held back, once the answer has ended. */
  #rest: string | undefined
  /** Markers that begin calls, and nothing else. */
  readonly #triggers: readonly string[]
  readonly #isRequired: boolean

  /** `tools`: those that may be called. */
  constructor({ syntax, controls, earlierIds, isRequired }: PreparedCalls, tools: readonly Tool[]) {
    this.#isRequired = isRequired
    this.#triggers = triggersOf(syntax).filter((trigger) => !beginsAsJson(trigger))
    this.#parser = new ToolCallParser({
      syntax,
      tools,
      controlTokens: controls,
      earlier: { ids: new Set(earlierIds), count: earlierIds.length },
      sink: {
        text: (text) => this.#text(text),
        startCall: (call) => {
          this.#writeRest()
          this.#endText()
          this.#isAfterCall = true
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
    this.#rest = ""
    this.#parser.end()
    const rest = this.#rest
    this.#rest = undefined
    if (rest !== "" && !this.#isCutCall(rest)) this.#text(rest)
    this.#endText()
  }

  /**
   * What is cut before its name is complete is neither text nor a call. The beginning of a marker is text only where text
   * may come.
   */
  #isCutCall(rest: string): boolean {
    if (this.#isRequired || this.#isAfterCall) return true
    return this.#triggers.some((trigger) => rest.trimStart().startsWith(trigger))
  }

  #text(text: string): void {
    if (this.#rest !== undefined) {
      this.#rest += text
      return
    }
    this.#isAfterCall = false
    if (!this.#isInText) this.#parts?.start({ part: "text" })
    this.#isInText = true
    this.#parts?.text(text)
  }

  /** A call begins in the rest, after text. */
  #writeRest(): void {
    const rest = this.#rest
    if (rest === undefined) return
    this.#rest = undefined
    if (rest !== "") this.#text(rest)
    this.#rest = ""
  }

  #endText(): void {
    if (this.#isInText) this.#parts?.end()
    this.#isInText = false
  }
}
