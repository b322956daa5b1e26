import type { TranscriptSegment } from "../domain/media/transcription"
import type { Transcript } from "./transcript"

/** SubRip subtitles: numbered, with a decimal comma in times. */
export function toSrt({ segments }: Pick<Transcript, "segments">): string {
  return withWords(segments)
    .map(({ start, end, text }, index) => `${index + 1}\n${cue(start, end, ",")}\n${oneBlock(text)}\n\n`)
    .join("")
}

/** WebVTT subtitles (https://www.w3.org/TR/webvtt1/). */
export function toVtt({ segments }: Pick<Transcript, "segments">): string {
  const cues = withWords(segments).map(
    ({ start, end, text }) => `${cue(start, end, ".")}\n${escaped(oneBlock(text))}\n\n`,
  )
  return `WEBVTT\n\n${cues.join("")}`
}

/** Ampersand and less-than begin escapes and tags; an arrow would be parsed as a time range. */
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
