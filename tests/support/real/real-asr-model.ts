import type {
  TranscriptionEvent,
  TranscriptionRequest,
  TranscriptSegment,
} from "../../../src/domain/transcription"
import { finished, MediaWork, MediaWorker, type MediaWorkerOptions } from "./media-worker"

/** One request in a real recogniser's worker, and what it was told. */
export class Dictation extends MediaWork<TranscriptionEvent> {
  /** Settles with the first segment, or the end. */
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

/** A real recogniser's worker. */
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

  /** Gives it a recording, and waits for the end. @throws what it fails with */
  transcribe(audioPath: string, request: Partial<TranscriptionRequest> = {}): Promise<Dictation> {
    return finished(this.submit(audioPath, request))
  }
}
