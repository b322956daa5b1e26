import type { SpeechEvent, SpeechRequest } from "../../../src/domain/media/speech"
import { finished, MediaWork, MediaWorker, type MediaWorkerOptions } from "./media-worker"

export const SPEAK: SpeechRequest = { kind: "speech", input: "abc", format: "wav", speed: 1 }

/** One request in a real tts worker, and its events. */
export class Speaking extends MediaWork<SpeechEvent> {
  /** Waits for the first part of audio. */
  async sound(): Promise<void> {
    await this.first("audio")
  }

  get audio() {
    return this.all("audio")
  }

  get voice() {
    return this.only("voice")
  }

  /** The whole file. */
  get bytes(): Uint8Array {
    return Buffer.concat(this.audio.map(({ bytes }) => bytes))
  }

  get samples(): number {
    return this.audio.reduce((sum, { samples }) => sum + samples, 0)
  }
}

export interface RealTtsModelOptions extends Pick<MediaWorkerOptions, "derivedFolder" | "command"> {
  readonly threads?: number
}

/** A real tts worker. */
export class RealTtsModel extends MediaWorker<SpeechRequest, SpeechEvent, Speaking> {
  static async start(
    path: string,
    { threads = 1, ...options }: RealTtsModelOptions = {},
  ): Promise<RealTtsModel> {
    const settings = { decodeThreads: threads }
    return await new RealTtsModel("tts", options.command).load(path, { ...options, settings })
  }

  submit(request: Partial<SpeechRequest>): Speaking {
    return this.begin((id) => new Speaking(id), { ...SPEAK, ...request })
  }

  /** Generates speech, and waits for the end. @throws the request's error */
  speak(request: Partial<SpeechRequest>): Promise<Speaking> {
    return finished(this.submit(request))
  }
}
