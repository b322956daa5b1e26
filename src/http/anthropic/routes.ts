import { Elysia } from "elysia"
import type { Engine } from "../../engine/contract"
import type { Logger } from "../../log/logger"
import { abortControllerFor } from "../context/consume"
import { mayBeSilent } from "../context/idle"
import { requestContextOf } from "../context/request-context"
import { readHeaderOptions } from "../read/headers"
import { type MediaContext, readingMedia } from "../read/media/media-intake"
import { replyToChat } from "../render/chat-reply"
import type { Framing } from "../render/sse"
import { MessageWriter } from "./answer"
import { type MessagesCall, toMessagesCall } from "./call"
import { anthropicDialect } from "./dialect"

export interface AnthropicContext extends MediaContext {
  readonly engine: Engine
  readonly log: Logger
}

/** This API has an event for silence. */
const PINGS: Framing = {
  contentType: "text/event-stream; charset=utf-8",
  note: () => `event: ping\ndata: {"type":"ping"}\n\n`,
}

/** POST /v1/messages and /v1/messages/count_tokens */
export function anthropicRoutes(context: AnthropicContext) {
  const { engine } = context
  return new Elysia({ name: "anthropic" })
    .post(
      "/v1/messages",
      async ({ request, server }) => {
        const call = await readCall(context, request)
        mayBeSilent(request, server)
        return await answer(context, request, call)
      },
      { parse: "none" },
    )
    .post(
      "/v1/messages/count_tokens",
      async ({ request, server }) => {
        const call = await readCall(context, request)
        mayBeSilent(request, server)
        requestContextOf(request).found((await engine.resolve(call.model, "chat")).name)
        const { tokens } = await engine.render(call.request, abortControllerFor(request).signal)
        return { input_tokens: tokens.length }
      },
      { parse: "none" },
    )
}

async function readCall(context: AnthropicContext, request: Request): Promise<MessagesCall> {
  const call = await readingMedia(context, request, (body, media) =>
    toMessagesCall(body, readHeaderOptions(request), media),
  )
  if (call.leftOut.length > 0)
    context.log.info("tools that cannot be run here were left out", { tools: call.leftOut })
  return call
}

async function answer(
  { engine, settings }: AnthropicContext,
  request: Request,
  call: MessagesCall,
): Promise<Response> {
  const requestContext = requestContextOf(request)
  const client = abortControllerFor(request)
  requestContext.logRequests([call.request], settings().logContent)
  const events = requestContext.takeModelFrom(engine.chat(call.request, client.signal))
  const writer = new MessageWriter(call.model)
  return await replyToChat({
    framing: PINGS,
    events,
    writer,
    stream: call.stream,
    client,
    requestContext,
    fail: anthropicDialect.renderStreamError,
  })
}
