/** The thread that tokenizes texts, so that thousands of them delay neither decodes nor messages. */
import { asXllmError } from "../../errors/base"
import { Library } from "../../llama/library"
import { Vocabulary } from "../../llama/vocabulary"
import type { FromTokenThread, ToTokenThread } from "./token-messages"

declare const self: Worker

type Job = Extract<ToTokenThread, { type: "tokenize" }>

let vocabulary: Vocabulary | undefined

function answer({ id, texts, options }: Job): FromTokenThread {
  try {
    if (vocabulary === undefined) throw new Error("the token thread is not set up")
    const own = vocabulary
    const all = texts.map((text) => own.tokenize(text, options))
    const tokens = new Int32Array(all.reduce((sum, { length }) => sum + length, 0))
    let at = 0
    for (const one of all) {
      tokens.set(one, at)
      at += one.length
    }
    return { type: "tokenized", id, tokens, lengths: Int32Array.from(all, ({ length }) => length) }
  } catch (error) {
    return { type: "failed", id, error: asXllmError(error).toWire() }
  }
}

self.onmessage = ({ data: message }: MessageEvent<ToTokenThread>) => {
  if (message.type === "setup")
    vocabulary = Vocabulary.fromShare(Library.share(message.files), message.vocabulary)
  else postMessage(answer(message))
}
