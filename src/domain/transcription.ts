import type { MediaTimings, RequestOptions, WaitingEvent } from "./request"

/** Speech to be written down. */
export interface TranscriptionRequest extends RequestOptions {
  readonly kind: "transcription"
  /** A file with the audio, in any container that is supported; whoever asks keeps it until the end. */
  readonly audioPath: string
  /** `translate`: into English. */
  readonly task: "transcribe" | "translate"
  /** ISO 639-1 code; absent: the recogniser finds out, or knows only one. */
  readonly language?: string
  /** Text that comes before, or names how things are spelt. A hint: families that take none write as they would. */
  readonly prompt?: string
  /** A hint too. */
  readonly temperature?: number
  /** Report when each word is said, where the family can. */
  readonly wordTimes: boolean
}

/** A stretch of speech. Times are seconds from the start of the audio. */
export interface TranscriptSegment {
  readonly index: number
  readonly start: number
  readonly end: number
  readonly text: string
  readonly words?: readonly { readonly word: string; readonly start: number; readonly end: number }[]
}

/** What transcribing tells: any waiting, then `audio`, the segments as they are recognised, and `done`. */
export type TranscriptionEvent =
  | WaitingEvent
  | { readonly type: "audio"; readonly seconds: number }
  | { readonly type: "segment"; readonly segment: TranscriptSegment }
  | {
      readonly type: "done"
      /** As it was given or found; undefined where the family does not tell. */
      readonly language: string | undefined
      readonly usage: { readonly audioSeconds: number }
      readonly timings: MediaTimings
    }
