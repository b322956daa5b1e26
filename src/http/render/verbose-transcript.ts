import { deflateSync } from "node:zlib"
import { languageName } from "../../domain/media/language"
import type { TranscriptSegment } from "../../domain/media/transcription"
import type { Transcript } from "../../formats/transcript"

/** Which timestamps to include. */
export interface TimestampGranularities {
  readonly segments: boolean
  readonly words: boolean
}

/** OpenAI's `verbose_json` with the fields that are known. */
export function toVerboseJson(
  { text, segments, language, audioSeconds, warnings }: Transcript,
  task: "transcribe" | "translate",
  granularities: TimestampGranularities,
) {
  const words = segments.flatMap((segment) => segment.words ?? [])
  return {
    task,
    ...(language !== undefined && { language: languageName(language) }),
    duration: audioSeconds,
    text,
    ...(granularities.segments && {
      segments: segments.map((segment) => ({ id: segment.index, ...toSegmentBody(segment) })),
    }),
    // Omitted for model families without word timestamps.
    ...(granularities.words && words.length > 0 && { words }),
    usage: toDurationUsage(audioSeconds),
    ...(warnings.length > 0 && { warnings }),
  }
}

/**
 * OpenAI's fields of a segment, without those that engines do not report: token ids, `avg_logprob` and
 * `no_speech_prob`.
 */
export function toSegmentBody({ seek, start, end, text }: TranscriptSegment) {
  return {
    ...(seek !== undefined && { seek }),
    start,
    end,
    text,
    // Decoding is greedy.
    temperature: 0,
    compression_ratio: compressionRatio(text),
  }
}

/** As Whisper computes it: a text that repeats itself has a high one. */
function compressionRatio(text: string): number {
  const bytes = Buffer.from(text)
  return Math.round((bytes.length / deflateSync(bytes).length) * 1000) / 1000
}

/** OpenAI's usage of models measured in seconds instead of tokens. */
export function toDurationUsage(seconds: number) {
  return { type: "duration", seconds } as const
}
