import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { AttachedPart } from "../../../src/domain/attached-parts"
import type { CompletionRequest, MediaPart } from "../../../src/domain/chat"
import { RealWorker, type RealWorkerOptions } from "../real/real-worker"
import { greedy } from "../requests"
import { mediaBytes, type TestMedia } from "./recorded-cases"

/** Stands for a picture or a sound in the prompts of tests. */
export const MARK = "<media>"

/** A model's projector, as a part of it. */
export function projectorPart(path: string): AttachedPart {
  return { role: "projector", name: "mmproj.gguf", path, sizeBytes: Bun.file(path).size }
}

/** A real worker of a model with a projector. */
export function startSeeing(
  { model, projector }: { readonly model: string; readonly projector: string },
  options: RealWorkerOptions = {},
): Promise<RealWorker> {
  return RealWorker.start(model, { parts: [projectorPart(projector)], ...options })
}

/** Writes what is shown into files of a folder, and asks about it. */
export class Album {
  readonly #folder: string
  #files = 0

  constructor(folder: string) {
    this.#folder = folder
  }

  /** A new file each time, also of the same picture. */
  part(media: TestMedia): MediaPart {
    const path = join(this.#folder, `shown-${this.#files++}`)
    writeFileSync(path, mediaBytes(media))
    return { type: media.type === "sound" ? "audio" : "image", path }
  }

  /** Greedy. `prompt` has {@link MARK} in place of each of the media. */
  ask(
    prompt: string,
    media: readonly TestMedia[],
    options: Partial<CompletionRequest> = {},
  ): CompletionRequest {
    return greedy(prompt, {
      maxTokens: 8,
      media: { mark: MARK, parts: media.map((one) => this.part(one)) },
      ...options,
    })
  }
}
