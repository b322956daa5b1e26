/** The thread that computes the embeddings of pictures and sounds, while others decode. */
import { asXllmError, InternalError } from "../../../errors/base"
import { Library } from "../../../llama/library"
import { Mtmd } from "../../../llama/mtmd"
import type { FromEncoderThread, ToEncoderThread } from "./encoder-messages"

declare const self: Worker

let projector: Mtmd | undefined

function encode({ content, threads }: Extract<ToEncoderThread, { type: "encode" }>): void {
  if (projector === undefined) throw new InternalError("the encoder is not set up")
  projector.setThreads(threads)
  const chunks = projector.encode(content)
  if (chunks === undefined) return post({ type: "encoded" })
  post(
    { type: "encoded", chunks },
    chunks.map(({ embeddings }) => embeddings.buffer as ArrayBuffer), // copied from the library's memory
  )
}

function post(message: FromEncoderThread, transfer: ArrayBuffer[] = []): void {
  postMessage(message, transfer)
}

self.onmessage = ({ data: message }: MessageEvent<ToEncoderThread>) => {
  try {
    if (message.type === "encode") encode(message)
    else projector = Mtmd.share(Library.share(message.files), message.mtmd, message.projector)
  } catch (error) {
    post({ type: "failed", error: asXllmError(error).toWire() })
  }
}
