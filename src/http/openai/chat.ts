import { Elysia } from "elysia"
import type { GenerationEvent, TokenLogprob } from "../../domain/chat"
import { abortControllerFor, consume } from "../context/consume"
import { mayBeSilent } from "../context/idle"
import { type RequestContext, requestContextOf } from "../context/request-context"
import { readHeaderOptions } from "../read/headers"
import { readingMedia } from "../read/media/media-intake"
import { AnswerBuilder, type CompleteAnswer } from "../render/answer"
import { sse } from "../render/sse"
import { toTimingsBody } from "../render/timings"
import { waitingNote } from "../render/waiting-note"
import { ChatParts } from "./chat-parts"
import { type ChunkFormat, Chunks } from "./chunks"
import { openAiDialect } from "./dialect"
import { toChatLogprobs } from "./logprobs"
import { createIdentity, type OpenAiContext, type ReplyIdentity } from "./reply"
import { type ChatCall, toChatCall } from "./translate"
import { toUsageBody } from "./usage"
import { chatLogprobs, noLogprobs, tokensMember, wholeAnswer } from "./whole-answer"

function chunkFormat(parts: ChatParts): ChunkFormat {
  return {
    object: "chat.completion.chunk",
    textStart: `"delta":{"content":`,
    textEnd: "}",
    empty: `"delta":{}`,
    opening: `"delta":{"role":"assistant","content":"","refusal":null}`,
    part(event, call) {
      const delta = parts.delta(event, call)
      return delta && `"delta":${JSON.stringify(delta)}`
    },
    finishReason: (reason) => parts.finishReason(reason),
    createLogprobs: () => (tokens) => toChatLogprobs(tokens.filter(isPredicted)),
  }
}

/** POST /v1/chat/completions */
export function chatRoutes(context: OpenAiContext) {
  return new Elysia({ name: "openai-chat" }).post(
    "/v1/chat/completions",
    async ({ request, server }) => {
      const requestContext = requestContextOf(request)
      const call = await readingMedia(context, request, (body, media) =>
        toChatCall(body, readHeaderOptions(request), media),
      )
      mayBeSilent(request, server)
      const identity = await createIdentity(context, "chatcmpl", call.request.model)
      requestContext.logRequests([call.request], context.settings().logContent)
      const client = abortControllerFor(request)
      const events = requestContext.takeModelFrom(context.engine.chat(call.request, client.signal))
      const parts = new ChatParts(call.reply, context.settings().reasoningField)
      if (call.reply.stream) return streamChat({ identity, call, parts, events, client, requestContext })
      const answer = new AnswerBuilder(call.request.n)
      await consume(events[Symbol.asyncIterator](), client.signal, (event) => {
        requestContext.observe(event)
        answer.add(event)
      })
      return toChatCompletion({ identity, call, parts }, answer.build())
    },
    { parse: "none" },
  )
}

interface Chat {
  readonly identity: ReplyIdentity
  readonly call: ChatCall
  readonly parts: ChatParts
}

interface RunningChat extends Chat {
  readonly events: AsyncIterable<GenerationEvent>
  readonly client: AbortController
  readonly requestContext: RequestContext
}

function streamChat(chat: RunningChat): Promise<Response> {
  const { identity, call, events, client, requestContext } = chat
  const chunks = new Chunks(chunkFormat(chat.parts), {
    identity,
    reply: call.reply,
    prompts: 1,
    n: call.request.n,
  })
  return sse({
    events,
    client,
    requestContext,
    render(event) {
      requestContext.observe(event)
      return chunks.render(event)
    },
    waiting: (event) => waitingNote(event),
    end: () => chunks.end(),
    fail: openAiDialect.renderStreamError,
  })
}

function toChatCompletion(
  { identity, call: { request }, parts }: Chat,
  { choices, warnings, usage, timings }: CompleteAnswer,
): Promise<Response> {
  return wholeAnswer(
    { ...identity, object: "chat.completion" },
    choices.map((choice, index) => {
      const { logprobs, tokens, finishReason } = choice
      const message = JSON.stringify(parts.message(choice))
      return {
        head: `{"index":${index},"message":${message},"logprobs":`,
        logprobs:
          request.topLogprobs === undefined ? noLogprobs : () => chatLogprobs(logprobs.filter(isPredicted)),
        tail: `,"finish_reason":${JSON.stringify(parts.finishReason(finishReason))}${tokensMember(tokens)}}`,
      }
    }),
    {
      usage: toUsageBody([usage]),
      timings: toTimingsBody(timings, usage.cachedTokens, request.n),
      ...(warnings.length > 0 && { warnings }),
    },
  )
}

/** Chats do not report the prompt's tokens; the first one has no probability. */
function isPredicted(token: object): token is TokenLogprob {
  return "top" in token
}
