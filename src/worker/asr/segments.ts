import type { TranscriptSegment } from "../../domain/media/transcription"
import type { Word } from "./words"

type Segment = Omit<TranscriptSegment, "index">

const SENTENCE_END = /[.!?。！？…]["'”’)\]]*$/
const CLAUSE_END = /[,;:、，；：]["'”’)\]]*$/
/** A pause of at least this length ends a segment. */
const PAUSE_SECONDS = 0.8
/** A shorter sentence is merged with the next. */
const LEAST_SECONDS = 1
/** Beyond this length, a clause or any pause ends a segment. */
const LONG_SECONDS = 8
const SHORT_PAUSE_SECONDS = 0.25
/** Maximum length of a segment, for readability. */
const MOST_SECONDS = 14

/** Groups words into segments for subtitles: sentences, split at pauses. */
export function toSegments(words: readonly Word[]): Segment[] {
  const segments: Segment[] = []
  let group: Word[] = []
  words.forEach((word, i) => {
    group.push(word)
    const next = words[i + 1]
    if (next !== undefined && !endsSegment(group, next)) return
    segments.push(segmentOf(group))
    group = []
  })
  return segments
}

function endsSegment(group: readonly Word[], next: Word): boolean {
  const first = group[0]
  const last = group.at(-1)
  if (first === undefined || last === undefined) return false
  const length = last.end - first.start
  const pause = next.start - last.end
  if (pause >= PAUSE_SECONDS || next.end - first.start > MOST_SECONDS) return true
  if (SENTENCE_END.test(last.text)) return length >= LEAST_SECONDS
  return length >= LONG_SECONDS && (CLAUSE_END.test(last.text) || pause >= SHORT_PAUSE_SECONDS)
}

function segmentOf(group: readonly Word[]): Segment {
  return {
    start: toMilliseconds(group[0]?.start ?? 0),
    end: toMilliseconds(group.at(-1)?.end ?? 0),
    text: group
      .map(({ text }) => text)
      .join("")
      .trim(),
    words: group.map(({ text, start, end }) => ({
      word: text.trim(),
      start: toMilliseconds(start),
      end: toMilliseconds(end),
    })),
  }
}

/** More digits would suggest a precision that the times do not have. */
function toMilliseconds(seconds: number): number {
  return Math.round(seconds * 1000) / 1000
}
