/** The thread that tokenizes texts, so that thousands of them delay neither decodes nor messages. */
import type { TokensRequest, TokensResult } from "../../domain/tokens"
import { asXllmError } from "../../errors/base"
import { InvalidRequest } from "../../errors/request"
import { Library } from "../../llama/library"
import { Vocabulary } from "../../llama/vocabulary"
import type { FromTokenThread, ToTokenThread } from "./token-messages"

declare const self: Worker

type Job = Exclude<ToTokenThread, { type: "setup" }>

let shared: Vocabulary | undefined

function answer(job: Job): FromTokenThread {
  const { id } = job
  try {
    if (shared === undefined) throw new Error("the token thread is not set up")
    return job.type === "ask"
      ? { type: "told", id, result: tell(job.request, shared) }
      : { type: "tokenized", id, ...tokenize(job, shared) }
  } catch (error) {
    return { type: "failed", id, error: asXllmError(error).toWire() }
  }
}

function tokenize({ texts, options }: Extract<Job, { type: "tokenize" }>, vocabulary: Vocabulary) {
  const all = texts.map((text) => vocabulary.tokenize(text, options))
  const tokens = new Int32Array(all.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const one of all) {
    tokens.set(one, at)
    at += one.length
  }
  return { tokens, lengths: Int32Array.from(all, ({ length }) => length) }
}

function tell(request: TokensRequest, vocabulary: Vocabulary): TokensResult {
  if (request.kind === "detokenize") {
    const { tokens } = request
    const odd = tokens.find((token) => token >= vocabulary.size)
    if (odd !== undefined)
      throw new InvalidRequest(
        `tokens has ${odd}, but the model's tokens end at ${vocabulary.size - 1}`,
        "tokens",
      )
    return { tokens, text: vocabulary.detokenize(tokens) }
  }
  const tokens = vocabulary.tokenize(request.text, request)
  return request.withPieces ? { tokens, pieces: piecesOf(tokens, vocabulary) } : { tokens }
}

function piecesOf(tokens: Int32Array, vocabulary: Vocabulary): NonNullable<TokensResult["pieces"]> {
  const pieces = Array.from(tokens, (token) => vocabulary.bytes(token))
  return { bytes: Buffer.concat(pieces), lengths: Int32Array.from(pieces, ({ length }) => length) }
}

self.onmessage = ({ data: message }: MessageEvent<ToTokenThread>) => {
  if (message.type !== "setup") postMessage(answer(message))
  else shared = Vocabulary.fromShare(Library.share(message.files), message.vocabulary)
}
