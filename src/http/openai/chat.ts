import { Elysia } from "elysia"
import type { GenerationEvent, TokenLogprob } from "../../domain/chat"
import { BODY_BYTES } from "../../limits"
import { clientOf, consume } from "../context/consume"
import { type Exchange, exchangeOf } from "../context/exchange"
import { mayBeSilent } from "../context/idle"
import { readJsonObject } from "../read/body"
import { readHeaderOptions } from "../read/headers"
import { type Answer, AnswerBuilder } from "../render/answer"
import { sse } from "../render/stream"
import { toTimingsBody } from "../render/timings"
import { waitingNote } from "../render/waiting-note"
import { type ChunkFormat, Chunks } from "./chunks"
import { failureEvent } from "./error-body"
import { toChatLogprobs } from "./logprobs"
import { createIdentity, type OpenAiContext, type ReplyIdentity } from "./reply"
import { type ChatCall, toChatCall } from "./translate"
import { toUsageBody } from "./usage"
import { chatLogprobs, noLogprobs, tokensMember, wholeAnswer } from "./whole-answer"

const CHUNKS: ChunkFormat = {
  object: "chat.completion.chunk",
  textStart: `"delta":{"content":`,
  textEnd: "}",
  empty: `"delta":{}`,
  opening: `"delta":{"role":"assistant","content":"","refusal":null}`,
  createLogprobs: () => (tokens) => toChatLogprobs(tokens.filter(isPredicted)),
}

/** POST /v1/chat/completions */
export function chatRoutes(context: OpenAiContext) {
  return new Elysia({ name: "openai-chat" }).post(
    "/v1/chat/completions",
    async ({ request, server }) => {
      const exchange = exchangeOf(request)
      const call = toChatCall(
        await readJsonObject(request, BODY_BYTES.generation),
        readHeaderOptions(request),
      )
      mayBeSilent(request, server)
      const identity = await createIdentity(context, "chatcmpl", call.request.model)
      exchange.asks([call.request], context.settings().logContent)
      const client = clientOf(request)
      const events = exchange.follows(context.engine.chat(call.request, client.signal))
      if (call.reply.stream) return streamChat({ identity, call, events, client, exchange })
      const answer = new AnswerBuilder(call.request.n)
      await consume(events[Symbol.asyncIterator](), client.signal, (event) => {
        exchange.observe(event)
        answer.add(event)
      })
      return toChatCompletion(identity, call, answer.build())
    },
    { parse: "none" },
  )
}

interface RunningChat {
  readonly identity: ReplyIdentity
  readonly call: ChatCall
  readonly events: AsyncIterable<GenerationEvent>
  readonly client: AbortController
  readonly exchange: Exchange
}

function streamChat({ identity, call, events, client, exchange }: RunningChat): Promise<Response> {
  const chunks = new Chunks(CHUNKS, { identity, reply: call.reply, prompts: 1, n: call.request.n })
  return sse({
    events,
    client,
    exchange,
    render(event) {
      exchange.observe(event)
      return chunks.render(event)
    },
    waiting: (event) => waitingNote(event),
    end: () => chunks.end(),
    fail: failureEvent,
  })
}

function toChatCompletion(
  identity: ReplyIdentity,
  { request }: ChatCall,
  { choices, warnings, usage, timings }: Answer,
): Promise<Response> {
  return wholeAnswer(
    { ...identity, object: "chat.completion" },
    choices.map(({ text, logprobs, tokens, finishReason }, index) => {
      const message = JSON.stringify({ role: "assistant", content: text, refusal: null })
      return {
        head: `{"index":${index},"message":${message},"logprobs":`,
        logprobs:
          request.topLogprobs === undefined ? noLogprobs : () => chatLogprobs(logprobs.filter(isPredicted)),
        tail: `,"finish_reason":${JSON.stringify(finishReason)}${tokensMember(tokens)}}`,
      }
    }),
    {
      usage: toUsageBody([usage]),
      timings: toTimingsBody(timings, usage.cachedTokens, request.n),
      ...(warnings.length > 0 && { warnings }),
    },
  )
}

/** Chats report no tokens of the prompt; its first one has no probability. */
function isPredicted(token: object): token is TokenLogprob {
  return "top" in token
}
