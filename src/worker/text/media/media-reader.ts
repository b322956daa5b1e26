import type { MediaPart } from "../../../domain/chat"
import { UnreadableMedia } from "../../../errors/request"
import { PictureFailure, PictureProcess, type PictureResult } from "./picture-process"

/** A picture or a sound of which nothing but the beginning was read. */
export interface MeasuredMedia {
  readonly part: MediaPart
  /** Of the file's bytes, and of what is done to them before the projector gets them. */
  readonly digest: Uint8Array
  /** Of a picture as the projector gets it: turned upright, and made smaller where the request wants that; sounds: 0. */
  readonly width: number
  readonly height: number
  /** Of a sound, at the projector's rate. */
  readonly samples?: number
}

export interface Pixels {
  readonly width: number
  readonly height: number
  /** Three bytes per pixel, row by row. */
  readonly rgb: Uint8Array
}

/** Reads pictures and sounds for a projector. */
export interface MediaReader {
  /** @throws InvalidRequest, Unsupported for a file that is not what it should be */
  measure(part: MediaPart): Promise<MeasuredMedia>
  /** @throws InvalidRequest where the file cannot be decoded */
  pixels(media: MeasuredMedia): Promise<Pixels>
  samples(media: MeasuredMedia): Promise<Float32Array>
  close(): void
}

/** Has files read by a process of their own. */
export class ProcessMediaReader implements MediaReader {
  readonly #process: PictureProcess
  readonly #sampleRate: number

  /** `sampleRate`: the projector's, of sounds. */
  constructor(command: readonly string[], sampleRate: number) {
    this.#process = new PictureProcess(command)
    this.#sampleRate = sampleRate
  }

  async measure(part: MediaPart): Promise<MeasuredMedia> {
    const { width, height, samples, digest } = await this.#run(part, "measure")
    return {
      part,
      width,
      height,
      digest: Uint8Array.fromHex(digest),
      ...(part.type === "audio" && { samples }),
    }
  }

  async pixels({ part }: MeasuredMedia): Promise<Pixels> {
    const { width, height, content } = await this.#run(part, "read")
    return { width, height, rgb: content }
  }

  async samples({ part }: MeasuredMedia): Promise<Float32Array> {
    const { content } = await this.#run(part, "read")
    return new Float32Array(content.buffer)
  }

  close(): void {
    this.#process.close()
  }

  async #run({ type, path, detail }: MediaPart, what: "measure" | "read"): Promise<PictureResult> {
    try {
      return type === "audio"
        ? await this.#process.run({ do: `${what}-sound`, path, rate: this.#sampleRate })
        : await this.#process.run({ do: `${what}-picture`, path, ...(detail !== undefined && { detail }) })
    } catch (error) {
      if (!(error instanceof PictureFailure)) throw error
      throw new UnreadableMedia(type === "audio" ? "the sound" : "the image", error.message)
    }
  }
}

/** The command of this program as the process that reads pictures; its parent's id follows. */
export function pictureCommand(): readonly string[] {
  const self = Bun.isStandaloneExecutable ? [process.execPath] : [process.execPath, Bun.main]
  return [...self, "worker", "picture"]
}
