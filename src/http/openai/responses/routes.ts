import { Elysia } from "elysia"
import { asXllmError } from "../../../errors/base"
import { Unsupported } from "../../../errors/request"
import type { Logger } from "../../../log/logger"
import { abortControllerFor } from "../../context/consume"
import { mayBeSilent } from "../../context/idle"
import { requestContextOf } from "../../context/request-context"
import { readingMedia } from "../../read/media/media-intake"
import { fitting } from "../../read/fitting"
import { readHeaderOptions } from "../../read/headers"
import type { JsonObject } from "../../read/body/json-body"
import { replyToChat } from "../../render/chat-reply"
import type { ResponseStore } from "../../response-store/response-store"
import type { OpenAiContext } from "../reply"
import { type ResponsesCall, toResponsesCall } from "./call"
import { toItemPage } from "./item-page"
import { inputOf, toStoredInput, withStored } from "./stored"
import { ResponseWriter } from "./writer"

interface StoredCall extends ResponsesCall {
  readonly previous?: string
}

/** POST /v1/responses and what belongs to it */
export function responseRoutes(context: OpenAiContext, store: ResponseStore, log: Logger) {
  const { engine } = context
  const readCall = async (request: Request): Promise<StoredCall> => {
    return await readingMedia(context, request, async (given, media) => {
      const { body, earlier, previous } = await withStored(store, requestContextOf(request).owner, given)
      const call = toResponsesCall(body, readHeaderOptions(request), earlier, media)
      return previous === undefined ? call : { ...call, previous }
    })
  }
  return new Elysia({ name: "openai-responses" })
    .post(
      "/v1/responses",
      async ({ request, server }) => {
        const call = await readCall(request)
        mayBeSilent(request, server)
        const { leftOut } = call
        if (leftOut.length > 0) log.info("tools that cannot be run here were left out", { tools: leftOut })
        return await answer(context, store, request, call)
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
    .get("/v1/responses/:id", ({ request, params: { id } }) => {
      if (queryOf(request).get("stream") === "true")
        throw new Unsupported("stream is not supported for a response that is complete", "stream")
      const body = store.body(requestContextOf(request).owner, id)
      return new Response(body, { headers: { "content-type": "application/json;charset=utf-8" } })
    })
    .delete("/v1/responses/:id", ({ request, params: { id } }) => {
      store.remove(requestContextOf(request).owner, id)
      return { id, object: "response", deleted: true }
    })
    .get("/v1/responses/:id/input_items", async ({ request, params: { id } }) =>
      toItemPage(inputOf(await store.chain(requestContextOf(request).owner, id)), queryOf(request)),
    )
    .post("/v1/responses/:id/cancel", ({ request, params: { id } }) => {
      store.body(requestContextOf(request).owner, id)
      throw new Unsupported(
        "only responses in the background can be cancelled, which are not supported; to cancel another, close its connection",
      )
    })
}

function queryOf({ url }: Request): URLSearchParams {
  return new URLSearchParams(url.includes("?") ? url.slice(url.indexOf("?")) : "")
}

async function answer(
  { engine, settings }: OpenAiContext,
  store: ResponseStore,
  request: Request,
  call: StoredCall,
): Promise<Response> {
  const requestContext = requestContextOf(request)
  const client = abortControllerFor(request)
  const { name } = await engine.resolve(call.request.model, "chat")
  const isKept = store.isEnabled && (call.store ?? true)
  const writer = new ResponseWriter({
    ...call.reply,
    model: call.request.model ?? name,
    ...(isKept && { keep: (response: JsonObject) => keep(store, request, call, response) }),
  })
  if (call.store === true && !isKept) writer.warn("the response is not kept: responses.store is off")
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
    stream: call.reply.stream,
    client,
    requestContext,
    fail: (error) => writer.fail(error),
  })
}

/** Returns why it could not be kept: the answer is good without. */
function keep(
  store: ResponseStore,
  request: Request,
  { input, previous }: StoredCall,
  response: JsonObject,
): string | undefined {
  const requestContext = requestContextOf(request)
  const items = toStoredInput(input)
  if (items === undefined) return "the response is not kept: its input is too large"
  const output = response["output"] as readonly { readonly id: string }[]
  try {
    store.put({
      id: String(response["id"]),
      owner: requestContext.owner,
      ...(previous !== undefined && { previous }),
      input: items,
      body: JSON.stringify(response),
      items: output.map(({ id }) => id),
    })
    return undefined
  } catch (error) {
    const failure = asXllmError(error)
    requestContext.recovered(failure)
    return `the response is not kept: ${failure.publicMessage}`
  }
}
