import type { ImageEvent, ImageRequest } from "../../../src/domain/image"
import { finished, MediaWork, MediaWorker, type MediaWorkerOptions } from "./media-worker"

/** The smallest picture there is: 64 by 64, in one step, without guidance. */
export const DRAW: ImageRequest = {
  kind: "image",
  prompt: "a cat",
  n: 1,
  width: 64,
  height: 64,
  steps: 1,
  cfgScale: 1,
  seed: 1,
  format: "png",
  preview: false,
}

/** One request in a real painter's worker, and what it was told. */
export class Drawing extends MediaWork<ImageEvent> {
  /** Waits for the first step. */
  async step(): Promise<void> {
    await this.first("step")
  }

  get steps() {
    return this.all("step")
  }

  get images() {
    return this.all("image")
  }

  get image() {
    return this.only("image")
  }
}

/** A real painter's worker. */
export class RealImageModel extends MediaWorker<ImageRequest, ImageEvent, Drawing> {
  static async start(path: string, options: MediaWorkerOptions = {}): Promise<RealImageModel> {
    return await new RealImageModel("image", options.command).load(path, options)
  }

  submit(request: Partial<ImageRequest> = {}): Drawing {
    return this.begin((id) => new Drawing(id), { ...DRAW, ...request })
  }

  /** Gives it a request, and waits for the end. @throws what it fails with */
  draw(request: Partial<ImageRequest> = {}): Promise<Drawing> {
    return finished(this.submit(request))
  }
}
