import { Elysia } from "elysia"
import type { ChatRequest, CompletionRequest } from "../../domain/chat"
import type { Engine } from "../../engine/contract"
import { abortControllerFor } from "../context/consume"
import { mayBeSilent } from "../context/idle"
import { requestContextOf } from "../context/request-context"
import { type HeaderOptions, readHeaderOptions } from "../read/headers"
import type { JsonObject } from "../read/body/json-body"
import { type MediaContext, readingMedia } from "../read/media/media-intake"
import type { MediaSink } from "../read/media/media-sink"

/** Reads the body of a chat or completion request. @throws InvalidRequest, Unsupported */
type ReadChat = (
  body: JsonObject,
  headers: HeaderOptions,
  media: MediaSink,
) => ChatRequest | CompletionRequest

interface PromptContext extends MediaContext {
  readonly engine: Engine
}

/**
 * POST /apply-template, which returns a chat's prompt, and /chat/completions/input_tokens, which counts its tokens.
 * `read`: the dialect whose chats these are.
 */
export function promptRoutes(context: PromptContext, read: ReadChat) {
  const { engine } = context
  const rendered = async (request: Request, server: Bun.Server<unknown> | null) => {
    const chat = await readingMedia(context, request, (body, media) =>
      read(body, readHeaderOptions(request), media),
    )
    mayBeSilent(request, server)
    requestContextOf(request).found((await engine.resolve(chat.model, chat.kind)).name)
    return await engine.render(chat, abortControllerFor(request).signal)
  }
  const count = async ({ request, server }: { request: Request; server: Bun.Server<unknown> | null }) => ({
    input_tokens: (await rendered(request, server)).tokens.length,
  })
  return new Elysia({ name: "llama-server-prompts" })
    .post(
      "/apply-template",
      async ({ request, server }) => ({ prompt: (await rendered(request, server)).prompt }),
      { parse: "none" },
    )
    .post("/chat/completions/input_tokens", count, { parse: "none" })
    .post("/v1/chat/completions/input_tokens", count, { parse: "none" })
}
