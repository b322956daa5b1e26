import { Elysia } from "elysia"
import { breathe } from "../../lib/async/breathe"
import { BODY_BYTES } from "../../limits"
import { abortControllerFor, consume } from "../context/consume"
import { mayBeSilent } from "../context/idle"
import { requestContextOf } from "../context/request-context"
import { type HeaderOptions, readHeaderOptions } from "../read/headers"
import { type JsonObject, readJsonObject } from "../read/body/json-body"
import { type CompleteVectors, VectorBuilder } from "../render/vectors"
import type { OllamaContext } from "./context"
import { type OllamaEmbeddingCall, toOllamaEmbed, toOllamaEmbeddings } from "./embedding-call"
import { nanoseconds } from "./records"
import { loadOrUnload } from "./load-or-unload"
import { UnusedOptions } from "./unused-options"

/** Writes an answer; `answer` is absent where there was nothing to embed. */
type Render = (call: OllamaEmbeddingCall, answer: CompleteVectors | undefined) => Promise<Response>

/** POST /api/embed, and /api/embeddings of older clients. */
export function ollamaEmbeddingRoutes(context: OllamaContext) {
  const unused = new UnusedOptions(context.log)
  const embedding =
    (read: (body: JsonObject, headers: HeaderOptions) => OllamaEmbeddingCall, render: Render) =>
    async ({
      request,
      server,
    }: {
      readonly request: Request
      readonly server: Bun.Server<unknown> | null
    }) => {
      const call = read(await readJsonObject(request, BODY_BYTES.generation), readHeaderOptions(request))
      mayBeSilent(request, server)
      unused.note(call.unusedOptions)
      return await render(call, await answerTo(context, call, request))
    }
  return new Elysia({ name: "ollama-embeddings" })
    .post("/api/embed", embedding(toOllamaEmbed, toEmbedBody), { parse: "none" })
    .post("/api/embeddings", embedding(toOllamaEmbeddings, toEmbeddingBody), { parse: "none" })
}

async function answerTo(
  { engine, settings }: OllamaContext,
  { request: wanted }: OllamaEmbeddingCall,
  request: Request,
): Promise<CompleteVectors | undefined> {
  const { signal } = abortControllerFor(request)
  if (wanted.inputs.length === 0) {
    await loadOrUnload(engine, wanted, "embedding", signal)
    return undefined
  }
  const requestContext = requestContextOf(request)
  requestContext.logRequests([wanted], settings().logContent)
  const events = requestContext.takeModelFrom(engine.embed(wanted, signal))
  const builder = new VectorBuilder(wanted.inputs.length)
  await consume(events[Symbol.asyncIterator](), signal, (event) => builder.add(event))
  const answer = builder.build()
  requestContext.measured({ texts: answer.usage.inputs, tokens: answer.usage.inputTokens })
  return answer
}

/** Numbers that are written at a time: a few milliseconds. */
const NUMBERS_AT_A_TIME = 32_768

async function toEmbedBody(
  { model }: OllamaEmbeddingCall,
  answer: CompleteVectors | undefined,
): Promise<Response> {
  if (answer === undefined) return Response.json({ model, embeddings: [] })
  const { queueMs, loadMs, workMs } = answer.timings
  const rest = {
    total_duration: nanoseconds(queueMs + loadMs + workMs),
    load_duration: nanoseconds(loadMs),
    prompt_eval_count: answer.usage.inputTokens,
  }
  const parts: string[] = [`{"model":${JSON.stringify(model)},"embeddings":[`]
  let numbers = 0
  for (const [index, vector] of answer.vectors.entries()) {
    parts.push(`${index > 0 ? "," : ""}[${vector.join(",")}]`)
    numbers += vector.length
    if (numbers < NUMBERS_AT_A_TIME) continue
    numbers = 0
    await breathe()
  }
  parts.push(`],${JSON.stringify(rest).slice(1)}`)
  return new Response(new Blob(parts), { headers: { "content-type": "application/json" } })
}

async function toEmbeddingBody(
  _: OllamaEmbeddingCall,
  answer: CompleteVectors | undefined,
): Promise<Response> {
  return Response.json({ embedding: Array.from(answer?.vectors[0] ?? []) })
}
