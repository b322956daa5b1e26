import { languageName } from "../../domain/language"
import type { Transcript } from "../../formats/transcript"

/** Which timestamps to include. */
export interface TimesTold {
  readonly segments: boolean
  readonly words: boolean
}

/** OpenAI's `verbose_json` with the fields that are known. */
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
    // Omitted for model families without word timestamps.
    ...(told.words && words.length > 0 && { words }),
    usage: toDurationUsage(audioSeconds),
  }
}

/** OpenAI's usage of models measured in seconds instead of tokens. */
export function toDurationUsage(seconds: number) {
  return { type: "duration", seconds } as const
}
