import type { TranscriptionEvent, TranscriptSegment } from "../domain/media/transcription"
import { InternalError } from "../errors/base"

/** A complete transcript. */
export interface Transcript {
  readonly text: string
  readonly segments: readonly TranscriptSegment[]
  /** Language code, if known. */
  readonly language: string | undefined
  readonly audioSeconds: number
  readonly warnings: readonly string[]
}

/** The text to append for a segment: its words, preceded by a space in scripts that use spaces. */
export function joint(before: string, segment: string): string {
  const words = segment.trim()
  if (words === "" || before === "") return words
  return WITHOUT_SPACES.test(before.slice(-2) + words.slice(0, 2)) ? words : ` ${words}`
}

/** Scripts without spaces between words, including their punctuation. */
const WITHOUT_SPACES =
  /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]/u

/** Assembles a transcript from its events. */
export class TranscriptBuilder {
  readonly #segments: TranscriptSegment[] = []
  #text = ""
  #done: Extract<TranscriptionEvent, { readonly type: "done" }> | undefined

  /** The text that the event appends, such as ` and then`; may be empty. */
  add(event: TranscriptionEvent): string {
    if (event.type === "done") this.#done = event
    if (event.type !== "segment") return ""
    const added = joint(this.#text, event.segment.text)
    this.#segments.push(event.segment)
    this.#text += added
    return added
  }

  /** @throws InternalError if the final event is missing */
  build(): Transcript & Pick<Extract<TranscriptionEvent, { readonly type: "done" }>, "timings"> {
    if (this.#done === undefined) throw new InternalError("the transcript broke off before its end")
    const { language, usage, timings, warnings = [] } = this.#done
    return {
      text: this.#text,
      segments: this.#segments,
      language,
      audioSeconds: usage.audioSeconds,
      warnings,
      timings,
    }
  }
}
