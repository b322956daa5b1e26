import { Elysia } from "elysia"
import type { Logger } from "../../../log/logger"
import { BODY_BYTES } from "../../../limits"
import { abortControllerFor } from "../../context/consume"
import { mayBeSilent } from "../../context/idle"
import { requestContextOf } from "../../context/request-context"
import { fitting } from "../../read/fitting"
import { readHeaderOptions } from "../../read/headers"
import { readJsonObject } from "../../read/body/json-body"
import { replyToChat } from "../../render/chat-reply"
import type { OpenAiContext } from "../reply"
import { type ResponsesCall, toResponsesCall } from "./call"
import { ResponseWriter } from "./writer"

/** POST /v1/responses and /v1/responses/input_tokens */
export function responseRoutes(context: OpenAiContext, log: Logger) {
  const { engine } = context
  const readCall = async (request: Request): Promise<ResponsesCall> =>
    toResponsesCall(await readJsonObject(request, BODY_BYTES.generation), readHeaderOptions(request))
  return new Elysia({ name: "openai-responses" })
    .post(
      "/v1/responses",
      async ({ request, server }) => {
        const call = await readCall(request)
        mayBeSilent(request, server)
        const { leftOut } = call.tools
        if (leftOut.length > 0) log.info("tools that cannot be run here were left out", { tools: leftOut })
        return await answer(context, request, call)
      },
      { parse: "none" },
    )
    .post(
      "/v1/responses/input_tokens",
      async ({ request, server }) => {
        const { request: chat } = await readCall(request)
        mayBeSilent(request, server)
        requestContextOf(request).found((await engine.resolve(chat.model, "chat")).name)
        const { tokens } = await engine.render(chat, abortControllerFor(request).signal)
        return { object: "response.input_tokens", input_tokens: tokens.length }
      },
      { parse: "none" },
    )
}

async function answer(
  { engine, settings }: OpenAiContext,
  request: Request,
  call: ResponsesCall,
): Promise<Response> {
  const requestContext = requestContextOf(request)
  const client = abortControllerFor(request)
  const { name } = await engine.resolve(call.request.model, "chat")
  const writer = new ResponseWriter({
    model: call.request.model ?? name,
    echoed: call.echoed,
    custom: call.tools.custom,
  })
  const { leftOut } = call.tools
  if (leftOut.length > 0)
    writer.warn(`tools that cannot be run here were left out: ${[...new Set(leftOut)].join(", ")}`)
  const fitted = call.truncates
    ? await fitting(engine, call.request, client.signal)
    : { request: call.request, droppedMessages: 0 }
  if (fitted.droppedMessages > 0)
    writer.warn(`the oldest ${fitted.droppedMessages} messages were dropped to fit the context`)
  requestContext.logRequests([fitted.request], settings().logContent)
  const events = requestContext.takeModelFrom(engine.chat(fitted.request, client.signal))
  return await replyToChat({
    events,
    writer,
    stream: call.stream,
    client,
    requestContext,
    fail: (error) => writer.fail(error),
  })
}
