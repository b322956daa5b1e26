import { fromWire, InternalError } from "../../../errors/base"
import type { LibraryFiles } from "../../../llama/library"
import type { EncodedChunk, MediaContent, SharedMtmd } from "../../../llama/mtmd"
import type { FromEncoderThread, ToEncoderThread } from "./encoder-messages"

interface Job {
  readonly content: MediaContent
  readonly threads: number
  readonly result: PromiseWithResolvers<readonly EncodedChunk[] | undefined>
}

/** Encodes pictures and sounds on a separate thread, one after another. It starts with the first. */
export class Encoder {
  readonly #setup: ToEncoderThread
  readonly #waiting: Job[] = []
  #current: Job | undefined
  #thread: Worker | undefined

  constructor(files: LibraryFiles, mtmd: string, projector: SharedMtmd) {
    this.#setup = { type: "setup", files, mtmd, projector }
  }

  /**
   * @returns undefined if the library refuses the content
   * @throws the signal's reason, once it is aborted: what has begun goes on unheard, as it cannot be stopped
   */
  async encode(
    content: MediaContent,
    threads: number,
    signal: AbortSignal,
  ): Promise<readonly EncodedChunk[] | undefined> {
    signal.throwIfAborted()
    const job: Job = { content, threads, result: Promise.withResolvers() }
    const drop = () => {
      const index = this.#waiting.indexOf(job)
      if (index !== -1) this.#waiting.splice(index, 1)
      job.result.reject(signal.reason)
    }
    signal.addEventListener("abort", drop, { once: true })
    this.#waiting.push(job)
    this.#next()
    try {
      return await job.result.promise
    } finally {
      signal.removeEventListener("abort", drop)
    }
  }

  #next(): void {
    if (this.#current !== undefined) return
    this.#current = this.#waiting.shift()
    if (this.#current === undefined) return
    const { content, threads } = this.#current
    this.#thread ??= this.#start()
    this.#send({ type: "encode", content, threads })
  }

  #start(): Worker {
    const thread = new Worker(new URL("./encoder-thread.ts", import.meta.url).href)
    thread.onmessage = ({ data: message }: MessageEvent<FromEncoderThread>) => {
      if (message.type === "failed") this.#end((job) => job.result.reject(fromWire(message.error)))
      else this.#end((job) => job.result.resolve(message.chunks))
    }
    thread.onerror = ({ message }) => {
      thread.terminate()
      this.#thread = undefined
      this.#end((job) => job.result.reject(new InternalError(`the encoder failed: ${message}`)))
    }
    this.#thread = thread
    this.#send(this.#setup)
    return thread
  }

  #send(message: ToEncoderThread): void {
    this.#thread?.postMessage(message)
  }

  #end(settle: (job: Job) => void): void {
    const job = this.#current
    this.#current = undefined
    if (job !== undefined) settle(job)
    this.#next()
  }

  /** Ends the thread; it may be in the middle of a picture, so the projector must not be freed after this. */
  close(): void {
    this.#thread?.terminate()
    this.#thread = undefined
    const error = new InternalError("the encoder was closed")
    for (const job of this.#waiting.splice(0)) job.result.reject(error)
    this.#end((job) => job.result.reject(error))
  }
}
