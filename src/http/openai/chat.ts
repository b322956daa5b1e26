import { Elysia } from "elysia"
import type { DeltaEvent, GenerationEvent, PartStartEvent, TokenLogprob, ToolCall } from "../../domain/chat"
import { BODY_BYTES } from "../../limits"
import { abortControllerFor, consume } from "../context/consume"
import { mayBeSilent } from "../context/idle"
import { type RequestContext, requestContextOf } from "../context/request-context"
import { readHeaderOptions } from "../read/headers"
import { readJsonObject } from "../read/json-body"
import { AnswerBuilder, type AnswerChoice, type CompleteAnswer } from "../render/answer"
import { sse } from "../render/sse"
import { toTimingsBody } from "../render/timings"
import { waitingNote } from "../render/waiting-note"
import { type ChunkFormat, Chunks } from "./chunks"
import { openAiDialect } from "./dialect"
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
  part: (event, call) => `"delta":${JSON.stringify(toDelta(event, call))}`,
  createLogprobs: () => (tokens) => toChatLogprobs(tokens.filter(isPredicted)),
}

function toDelta(event: PartStartEvent | DeltaEvent, call: number): object {
  if (event.part !== "tool-call") return event.type === "delta" ? { reasoning_content: event.text } : {}
  if (event.type === "delta") return { tool_calls: [{ index: call, function: { arguments: event.text } }] }
  return { tool_calls: [{ index: call, ...toCallBody({ ...event, arguments: "" }) }] }
}

function toCallBody({ id, name, arguments: text }: ToolCall) {
  return { id, type: "function", function: { name, arguments: text } }
}

/** POST /v1/chat/completions */
export function chatRoutes(context: OpenAiContext) {
  return new Elysia({ name: "openai-chat" }).post(
    "/v1/chat/completions",
    async ({ request, server }) => {
      const requestContext = requestContextOf(request)
      const call = toChatCall(
        await readJsonObject(request, BODY_BYTES.generation),
        readHeaderOptions(request),
      )
      mayBeSilent(request, server)
      const identity = await createIdentity(context, "chatcmpl", call.request.model)
      requestContext.logRequests([call.request], context.settings().logContent)
      const client = abortControllerFor(request)
      const events = requestContext.takeModelFrom(context.engine.chat(call.request, client.signal))
      if (call.reply.stream) return streamChat({ identity, call, events, client, requestContext })
      const answer = new AnswerBuilder(call.request.n)
      await consume(events[Symbol.asyncIterator](), client.signal, (event) => {
        requestContext.observe(event)
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
  readonly requestContext: RequestContext
}

function streamChat({ identity, call, events, client, requestContext }: RunningChat): Promise<Response> {
  const chunks = new Chunks(CHUNKS, { identity, reply: call.reply, prompts: 1, n: call.request.n })
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
  identity: ReplyIdentity,
  { request }: ChatCall,
  { choices, warnings, usage, timings }: CompleteAnswer,
): Promise<Response> {
  return wholeAnswer(
    { ...identity, object: "chat.completion" },
    choices.map((choice, index) => {
      const { logprobs, tokens, finishReason } = choice
      const message = JSON.stringify(toMessage(choice))
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

function toMessage({ text, reasoning, toolCalls }: AnswerChoice) {
  return {
    role: "assistant",
    content: text === "" && toolCalls !== undefined ? null : text,
    refusal: null,
    ...(reasoning !== undefined && { reasoning_content: reasoning }),
    ...(toolCalls !== undefined && { tool_calls: toolCalls.map(toCallBody) }),
  }
}

/** Chats do not report the prompt's tokens; the first one has no probability. */
function isPredicted(token: object): token is TokenLogprob {
  return "top" in token
}
