import type {
  TranscriptionEvent,
  TranscriptionRequest,
  TranscriptSegment,
} from "../../../src/domain/media/transcription"
import { finished, MediaWork, MediaWorker, type MediaWorkerOptions } from "./media-worker"

/** One request in a real asr worker, and its events. */
export class Dictation extends MediaWork<TranscriptionEvent> {
  /** Resolves at the first segment, or at the end. */
  get begun(): Promise<void> {
    return this.first("segment")
  }

  get segments(): readonly TranscriptSegment[] {
    return this.all("segment").map(({ segment }) => segment)
  }

  get text(): string {
    return this.segments.map(({ text }) => text).join(" ")
  }
}

export interface RealAsrModelOptions extends Pick<MediaWorkerOptions, "derivedFolder" | "command"> {
  readonly threads?: number
}

/** A real asr worker. */
export class RealAsrModel extends MediaWorker<TranscriptionRequest, TranscriptionEvent, Dictation> {
  static async start(
    path: string,
    { threads = 1, ...options }: RealAsrModelOptions = {},
  ): Promise<RealAsrModel> {
    const settings = { decodeThreads: threads }
    return await new RealAsrModel("asr", options.command).load(path, { ...options, settings })
  }

  submit(audioPath: string, request: Partial<TranscriptionRequest> = {}): Dictation {
    return this.begin((id) => new Dictation(id), {
      kind: "transcription",
      task: "transcribe",
      wordTimes: false,
      ...request,
      audioPath,
    })
  }

  /** Transcribes a recording, and waits for the end. @throws the request's error */
  transcribe(audioPath: string, request: Partial<TranscriptionRequest> = {}): Promise<Dictation> {
    return finished(this.submit(audioPath, request))
  }
}
