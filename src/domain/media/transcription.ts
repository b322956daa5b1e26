import type { MediaTimings, RequestOptions, WaitingEvent } from "../request"

/** A request to transcribe speech. */
export interface TranscriptionRequest extends RequestOptions {
  readonly kind: "transcription"
  /** An audio file in any supported container; the caller keeps it until the end. */
  readonly audioPath: string
  /** `translate`: into English. */
  readonly task: "transcribe" | "translate"
  /** A code, a locale or an English name; absent or `auto`: the model detects it, or knows only one. */
  readonly language?: string
  /** Preceding text, or the spelling of names. A hint: ignored by families without prompts. */
  readonly prompt?: string
  /** Also a hint. */
  readonly temperature?: number
  /** Report the time of each word, where the family can. */
  readonly wordTimes: boolean
}

/** A stretch of speech. Times are seconds from the start of the audio. */
export interface TranscriptSegment {
  readonly index: number
  /** Where the window begins that it was recognised in, in hundredths of a second. */
  readonly seek?: number
  readonly start: number
  readonly end: number
  readonly text: string
  readonly words?: readonly { readonly word: string; readonly start: number; readonly end: number }[]
}

/** The events of transcription: any waiting, then `audio`, the segments as they are recognised, and `done`. */
export type TranscriptionEvent =
  | WaitingEvent
  | { readonly type: "audio"; readonly seconds: number }
  | { readonly type: "segment"; readonly segment: TranscriptSegment }
  | {
      readonly type: "done"
      /** As requested or detected; undefined where the family does not report it. */
      readonly language: string | undefined
      readonly usage: { readonly audioSeconds: number }
      /** What was not as requested, or not as the recording's header says. */
      readonly warnings?: readonly string[]
      readonly timings: MediaTimings
    }
