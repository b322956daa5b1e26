import type { TranscriptionEvent, TranscriptSegment } from "../../../domain"
import { InternalError } from "../../../errors"

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

/** Subtitles in SubRip's format: numbered, times with a comma. */
export function toSrt({ segments }: Pick<Transcript, "segments">): string {
  return withWords(segments)
    .map(({ start, end, text }, index) => `${index + 1}\n${cue(start, end, ",")}\n${oneBlock(text)}\n\n`)
    .join("")
}

/** Subtitles as WebVTT (https://www.w3.org/TR/webvtt1/). */
export function toVtt({ segments }: Pick<Transcript, "segments">): string {
  const cues = withWords(segments).map(
    ({ start, end, text }) => `${cue(start, end, ".")}\n${escaped(oneBlock(text))}\n\n`,
  )
  return `WEBVTT\n\n${cues.join("")}`
}

/** Ampersand and less-than begin escapes and tags; an arrow would be taken for times. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("-->", "--&gt;")
}

function withWords(segments: readonly TranscriptSegment[]): readonly TranscriptSegment[] {
  return segments.filter(({ text }) => text.trim() !== "")
}

/** An empty line would end the subtitle. */
function oneBlock(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, "\n")
}

function cue(start: number, end: number, point: "," | "."): string {
  return `${clock(start, point)} --> ${clock(end, point)}`
}

/** `00:01:02,345` */
function clock(seconds: number, point: string): string {
  const ms = Math.max(0, Math.round(seconds * 1000))
  const digits = (value: number, length: number) => String(Math.floor(value)).padStart(length, "0")
  const minutes = ms / 60_000
  return (
    `${digits(minutes / 60, 2)}:${digits(minutes % 60, 2)}:` +
    `${digits((ms % 60_000) / 1000, 2)}${point}${digits(ms % 1000, 3)}`
  )
}

/** What of the times is told. */
export interface TimesTold {
  readonly segments: boolean
  readonly words: boolean
}

/** OpenAI's `verbose_json`, with those of its fields that are known. */
export function toVerboseJson(
  { text, segments, language, audioSeconds }: Transcript,
  task: "transcribe" | "translate",
  told: TimesTold,
) {
  const words = segments.flatMap((segment) => segment.words ?? [])
  return {
    task,
    ...(language !== undefined && { language: languageName(language) }),
    duration: audioSeconds,
    text,
    ...(told.segments && {
      segments: segments.map(({ index, start, end, text }) => ({ id: index, start, end, text })),
    }),
    // A family that does not know when words are said tells of none.
    ...(told.words && words.length > 0 && { words }),
    usage: toDurationUsage(audioSeconds),
  }
}

/** OpenAI's usage of models that count seconds instead of tokens. */
export function toDurationUsage(seconds: number) {
  return { type: "duration", seconds } as const
}

/** `en` → `english`, as OpenAI calls languages; a code that nobody knows stays. */
function languageName(code: string): string {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(code)?.toLowerCase() ?? code
  } catch {
    return code
  }
}
