import type { MediaTimings, RequestOptions, WaitingEvent } from "../request"

export type AudioFormat = "mp3" | "opus" | "aac" | "flac" | "wav" | "pcm"

/** A request to synthesise speech. */
export interface SpeechRequest extends RequestOptions {
  readonly kind: "speech"
  readonly input: string
  /** A speaker's name, or its number as text; absent: the model's first. */
  readonly voice?: string
  readonly format: AudioFormat
  /** 0.25 to 4; 1 is the normal speed. */
  readonly speed: number
  /** Hertz; absent: the model's own, or the next that the format supports. */
  readonly sampleRate?: number
  /** Speak the text as it is; absent: as a person would read it, without Markdown, emoji and the like. */
  readonly rawText?: boolean
}

/** The events of speech synthesis: any waiting, then `voice`, `audio` as it is produced, and `done`. */
export type SpeechEvent =
  | WaitingEvent
  /** `sampleRate`: of the encoded samples. `warnings`: those of `done`, as far as they are known. */
  | {
      readonly type: "voice"
      readonly sampleRate: number
      readonly speaker: number
      readonly mime: string
      readonly warnings?: readonly string[]
    }
  /** The next part of the encoded file. `samples`: how many were synthesised for it. */
  | { readonly type: "audio"; readonly bytes: Uint8Array; readonly samples: number }
  | {
      readonly type: "done"
      readonly usage: {
        /** Characters of the input. */
        readonly characters: number
        readonly sentences: number
        readonly audioSeconds: number
      }
      readonly timings: MediaTimings
      /** What could not be spoken, one sentence each; absent: none. */
      readonly warnings?: readonly string[]
    }
