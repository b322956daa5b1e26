import { Elysia } from "elysia"
import type { ChatRequest, CompletionRequest, GenerationEvent } from "../../domain/chat"
import type { Answering } from "../../engine/contract"
import { InvalidRequest } from "../../errors/request"
import { abortControllerFor, consume } from "../context/consume"
import { mayBeSilent } from "../context/idle"
import { type RequestContext, requestContextOf } from "../context/request-context"
import { type HeaderOptions, readHeaderOptions } from "../read/headers"
import type { JsonObject } from "../read/body/json-body"
import { readingMedia } from "../read/media/media-intake"
import type { MediaSink } from "../read/media/media-sink"
import { JSON_LINES, sse } from "../render/sse"
import { waitingNote } from "../render/waiting-note"
import { type OllamaCall, toOllamaChat, toOllamaGenerate } from "./calls"
import type { OllamaContext } from "./context"
import { ContextWishes } from "./context-wishes"
import { ollamaDialect } from "./dialect"
import { loadOrUnload } from "./load-or-unload"
import { fitting } from "../read/fitting"
import {
  type Additions,
  AnswerRecords,
  CHAT_RECORDS,
  GENERATE_RECORDS,
  idleRecord,
  type RecordForm,
} from "./records"
import { UnusedOptions } from "./unused-options"

/** POST /api/chat and /api/generate */
export function ollamaGenerationRoutes(context: OllamaContext) {
  const unused = new UnusedOptions(context.log)
  const wishes = new ContextWishes(context.engine, context.log)
  const answering =
    (read: (body: JsonObject, headers: HeaderOptions, media: MediaSink) => OllamaCall, form: RecordForm) =>
    async ({
      request,
      server,
    }: {
      readonly request: Request
      readonly server: Bun.Server<unknown> | null
    }) => {
      const requestContext = requestContextOf(request)
      const call = await readingMedia(context, request, (body, media) =>
        read(body, readHeaderOptions(request), media),
      )
      mayBeSilent(request, server)
      unused.note(call.unusedOptions)
      const client = abortControllerFor(request)
      if (call.request === undefined) return await idle(context, call, form, client.signal)
      const unmet = await wishes.unmet(call.model, call.wantedContext)
      const warnings = unmet === undefined ? [] : [unmet]
      return await answer(context, { call, form, client, requestContext, request: call.request, warnings })
    }
  return new Elysia({ name: "ollama-generation" })
    .post("/api/chat", answering(toOllamaChat, CHAT_RECORDS), { parse: "none" })
    .post("/api/generate", answering(toOllamaGenerate, GENERATE_RECORDS), { parse: "none" })
}

interface Run {
  readonly call: OllamaCall
  readonly request: ChatRequest | CompletionRequest
  readonly form: RecordForm
  readonly client: AbortController
  readonly requestContext: RequestContext
  readonly warnings: readonly string[]
}

async function idle(
  { engine }: OllamaContext,
  { model, shared, stream }: OllamaCall,
  form: RecordForm,
  signal: AbortSignal,
): Promise<Response> {
  const record = idleRecord(model, form, await loadOrUnload(engine, shared, "chat", signal))
  if (!stream) return Response.json(record)
  return new Response(line(record), { headers: { "content-type": JSON_LINES.contentType } })
}

async function answer(context: OllamaContext, run: Run): Promise<Response> {
  const { call, form, client, requestContext, warnings } = run
  const { engine } = context
  const { signal } = client
  await checkThinking(context, call)
  const { request, droppedMessages } =
    call.truncates && run.request.kind === "chat"
      ? await fitting(engine, run.request, signal)
      : { request: run.request, droppedMessages: 0 }
  const prepared = await prepare(context, { ...run, request })
  requestContext.logRequests([prepared.request], context.settings().logContent)
  const events = requestContext.takeModelFrom(start(context, prepared.request, signal))
  const records = new AnswerRecords(call.model, form, prepared.promptTokens !== undefined)
  const additions: Additions = { droppedMessages, promptTokens: prepared.promptTokens, warnings }
  const observe = (event: GenerationEvent) => {
    requestContext.observe(event)
    return records.piece(event)
  }
  if (!call.stream) {
    await consume(events[Symbol.asyncIterator](), signal, (event) => void observe(event))
    return Response.json(records.whole(additions))
  }
  return await sse({
    framing: JSON_LINES,
    events,
    client,
    requestContext,
    render(event) {
      const record = observe(event)
      return record === undefined ? "" : line(record)
    },
    waiting: (event) => waitingNote(event),
    end: () => line(records.last(additions)),
    fail: ollamaDialect.renderStreamError,
  })
}

function start(
  { engine }: OllamaContext,
  request: ChatRequest | CompletionRequest,
  signal: AbortSignal,
): Answering<GenerationEvent> {
  return request.kind === "chat" ? engine.chat(request, signal) : engine.complete(request, signal)
}

/**
 * With a context, the prompt is the earlier tokens and the new turn; `promptTokens` are needed for the context of the
 * answer.
 */
async function prepare(
  { engine }: OllamaContext,
  { call, request, client }: Run,
): Promise<{
  readonly request: ChatRequest | CompletionRequest
  readonly promptTokens?: readonly number[]
}> {
  if (!call.reportsContext) return { request }
  const { tokens } = await engine.render(request, client.signal)
  if (call.context.length === 0) return { request: { ...request, reportsTokens: true }, promptTokens: tokens }
  const promptTokens = [...call.context, ...tokens]
  const { shared } = call
  return {
    request: { ...shared, kind: "completion", prompt: promptTokens, echo: false, reportsTokens: true },
    promptTokens,
  }
}

/** @throws InvalidRequest where a model that cannot think is told to */
async function checkThinking({ engine }: OllamaContext, { model, reasoning }: OllamaCall): Promise<void> {
  if (reasoning?.isEnabled !== true) return
  const { capabilities } = await engine.show((await engine.resolve(model, "chat")).name)
  if (!capabilities.includes("thinking"))
    throw new InvalidRequest(`"${model}" does not support thinking`, "think")
}

function line(record: object): string {
  return `${JSON.stringify(record)}\n`
}
