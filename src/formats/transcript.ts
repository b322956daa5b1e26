import type { TranscriptionEvent, TranscriptSegment } from "../domain/transcription"
import { InternalError } from "../errors/base"

/** What was said, complete. */
export interface Transcript {
  readonly text: string
  readonly segments: readonly TranscriptSegment[]
  /** Code of the language, where it is known. */
  readonly language: string | undefined
  readonly audioSeconds: number
}

/** What is added to the text for a segment: its words, and a space before them where the writing has spaces. */
export function joint(before: string, segment: string): string {
  const words = segment.trim()
  if (words === "" || before === "") return words
  return WITHOUT_SPACES.test(before.slice(-2) + words.slice(0, 2)) ? words : ` ${words}`
}

/** Scripts whose words stand next to each other, their punctuation included. */
const WITHOUT_SPACES =
  /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]/u

/** Puts a transcript together while its events come. */
export class TranscriptBuilder {
  readonly #segments: TranscriptSegment[] = []
  #text = ""
  #done: Extract<TranscriptionEvent, { readonly type: "done" }> | undefined

  /** What the event adds to the text, such as ` and then`; empty for nothing. */
  add(event: TranscriptionEvent): string {
    if (event.type === "done") this.#done = event
    if (event.type !== "segment") return ""
    const added = joint(this.#text, event.segment.text)
    this.#segments.push(event.segment)
    this.#text += added
    return added
  }

  /** @throws InternalError where the end is missing */
  build(): Transcript & Pick<Extract<TranscriptionEvent, { readonly type: "done" }>, "timings"> {
    if (this.#done === undefined) throw new InternalError("the transcript broke off before its end")
    const { language, usage, timings } = this.#done
    return {
      text: this.#text,
      segments: this.#segments,
      language,
      audioSeconds: usage.audioSeconds,
      timings,
    }
  }
}
