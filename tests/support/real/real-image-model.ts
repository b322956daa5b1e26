import type { ImageEvent, ImageRequest } from "../../../src/domain/media/image"
import { finished, MediaWork, MediaWorker, type MediaWorkerOptions } from "./media-worker"

/** The smallest image: 64 by 64, in one step, without guidance. */
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

/** One request in a real image worker, and its events. */
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

/** A real image worker. */
export class RealImageModel extends MediaWorker<ImageRequest, ImageEvent, Drawing> {
  static async start(path: string, options: MediaWorkerOptions = {}): Promise<RealImageModel> {
    return await new RealImageModel("image", options.command).load(path, options)
  }

  submit(request: Partial<ImageRequest> = {}): Drawing {
    return this.begin((id) => new Drawing(id), { ...DRAW, ...request })
  }

  /** Generates images, and waits for the end. @throws the request's error */
  draw(request: Partial<ImageRequest> = {}): Promise<Drawing> {
    return finished(this.submit(request))
  }
}
