import { Elysia } from "elysia"
import type { GenerationEvent } from "../../domain/chat"
import type { Engine } from "../../engine/contract"
import { InternalError } from "../../errors/base"
import { abortControllerFor, consume } from "../context/consume"
import { mayBeSilent } from "../context/idle"
import { type RequestContext, requestContextOf } from "../context/request-context"
import { type HeaderOptions, readHeaderOptions } from "../read/headers"
import type { JsonObject } from "../read/body/json-body"
import { type MediaContext, readingMedia } from "../read/media/media-intake"
import type { MediaSink } from "../read/media/media-sink"
import { joinMixedPrompts } from "../read/mixed-prompts"
import { AnswerBuilder, LogprobBudget } from "../render/answer"
import { type Indexed, merge, PROMPTS_AT_A_TIME } from "../render/merge"
import { sse } from "../render/sse"
import { waitingNote } from "../render/waiting-note"
import { CompletionStream, type Ending, selected, toCompletionBody } from "./completion-body"
import { type NativeCall, toNativeCall, toInfillCall } from "./completion-call"
import { llamaServerDialect } from "./dialect"

export interface NativeContext extends MediaContext {
  readonly engine: Engine
}

/** POST /completion, /completions and /infill, in llama-server's own form. */
export function nativeCompletionRoutes(context: NativeContext) {
  const answering =
    (read: (body: JsonObject, headers: HeaderOptions, media: MediaSink) => NativeCall) =>
    async ({
      request,
      server,
    }: {
      readonly request: Request
      readonly server: Bun.Server<unknown> | null
    }) => {
      const requestContext = requestContextOf(request)
      const client = abortControllerFor(request)
      const tokenizing = { engine: context.engine, kind: "completion", signal: client.signal } as const
      const call = await readingMedia(context, request, async (given, media) => {
        mayBeSilent(request, server)
        return read(await joinMixedPrompts(given, "prompt", tokenizing), readHeaderOptions(request), media)
      })
      requestContext.logRequests(call.requests, context.settings().logContent)
      const run: Run = { call, client, requestContext }
      return call.reply.stream ? await streamed(context, run) : await whole(context, run)
    }
  return new Elysia({ name: "llama-server-completions" })
    .post("/completion", answering(toNativeCall), { parse: "none" })
    .post("/completions", answering(toNativeCall), { parse: "none" })
    .post("/infill", answering(toInfillCall), { parse: "none" })
}

interface Run {
  readonly call: NativeCall
  readonly client: AbortController
  readonly requestContext: RequestContext
}

/** An event of one of the prompts; the last one with what the last message says. */
interface Answered extends Indexed<GenerationEvent> {
  readonly ending?: Ending | undefined
}

/** Each prompt's ending is made beside its answer: nobody waits for it before the first token. */
async function* answered(context: NativeContext, run: Run): AsyncIterableIterator<Answered> {
  const { call, client, requestContext } = run
  const endings: (Promise<Ending> | undefined)[] = []
  const sources = call.requests.map((request, index) => () => {
    const ending = endingOf(context, run, index)
    // If it fails, so does the request itself, unless it is given up before.
    ending.catch(() => {})
    endings[index] = ending
    return requestContext.takeModelFrom(context.engine.complete(request, client.signal))
  })
  for await (const event of merge(sources, PROMPTS_AT_A_TIME)) {
    if (event.value.type !== "done") yield event
    else {
      yield { ...event, ending: await endings[event.index] }
      delete endings[event.index]
    }
  }
}

async function whole(context: NativeContext, run: Run): Promise<Response> {
  const { call, client, requestContext } = run
  const budget = new LogprobBudget()
  const builders = call.requests.map((request) => new AnswerBuilder(request.n, budget))
  const endings: (Ending | undefined)[] = []
  try {
    await consume(answered(context, run), client.signal, ({ index, value, ending }) => {
      requestContext.observe(value)
      builders[index]?.add(value)
      endings[index] = ending
    })
  } catch (error) {
    // If one prompt fails, so does the request: cancel the others.
    client.abort()
    throw error
  }
  const bodies = builders.flatMap((builder, place) => {
    const answer = builder.build()
    const ending = endings[place]
    if (ending === undefined) return []
    return answer.choices.map((choice, number) => {
      const index = place * answer.choices.length + number
      return selected(toCompletionBody(answer, choice, { ...ending, index }), call.responseFields)
    })
  })
  const [only, ...others] = bodies
  return Response.json(only !== undefined && others.length === 0 && !call.isList ? only : bodies)
}

async function streamed(context: NativeContext, run: Run): Promise<Response> {
  const { call, client, requestContext } = run
  const streams = call.requests.map((request, index) => new CompletionStream(call, request, index))
  return await sse({
    events: answered(context, run),
    client,
    requestContext,
    render({ index, value, ending }) {
      requestContext.observe(value)
      return streams[index]?.render(value, ending) ?? ""
    },
    waiting: ({ value }) => waitingNote(value),
    // The last message of an answer says that it stops.
    end: () => "",
    fail: llamaServerDialect.renderStreamError,
  })
}

/** The prompt as the model sees it, and the effective parameters. */
async function endingOf(
  { engine }: NativeContext,
  { call: { requests, reply }, client }: Run,
  index: number,
): Promise<Ending> {
  const request = requests[index]
  if (request === undefined) throw new InternalError(`there is no prompt ${index}`)
  const found = await engine.resolve(request.model, request.kind)
  const { name: model } = found
  const rendered = await engine.render(request, client.signal)
  // By then it is loaded.
  const contextLength = (await engine.contextLengths([found])).get(model)?.served
  return {
    contextLength,
    request,
    index,
    stream: reply.stream,
    timingsPerToken: reply.timingsPerToken,
    model,
    rendered,
  }
}
