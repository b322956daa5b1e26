import { Elysia } from "elysia"
import { BODY_BYTES } from "../../../limits"
import { abortControllerFor, consume } from "../../context/consume"
import { mayBeSilent } from "../../context/idle"
import { requestContextOf } from "../../context/request-context"
import { readHeaderOptions } from "../../read/headers"
import { readJsonObject } from "../../read/body/json-body"
import { toMediaTimingsBody } from "../../render/timings"
import { type CompleteVectors, VectorBuilder } from "../../render/vectors"
import type { OpenAiContext } from "../reply"
import { type RerankCall, toRerankCall } from "./rerank-call"

/** The route, and the names it has in Jina's API, llama-server and TEI. */
const PATHS = ["/v1/rerank", "/v1/reranking", "/rerank", "/reranking"] as const

/** POST /v1/rerank */
export function rerankRoutes(context: OpenAiContext) {
  const routes = new Elysia({ name: "openai-rerank" })
  for (const path of PATHS)
    routes.post(
      path,
      async ({ request, server }) => {
        const requestContext = requestContextOf(request)
        const call = toRerankCall(
          await readJsonObject(request, BODY_BYTES.generation),
          readHeaderOptions(request),
        )
        mayBeSilent(request, server)
        requestContext.logRequests([call.request], context.settings().logContent)
        const client = abortControllerFor(request)
        const events = requestContext.takeModelFrom(context.engine.rerank(call.request, client.signal))
        const builder = new VectorBuilder(call.request.documents.length)
        await consume(events[Symbol.asyncIterator](), client.signal, (event) => builder.add(event))
        const answer = builder.build()
        requestContext.measured({ texts: answer.usage.inputs, tokens: answer.usage.inputTokens })
        return call.isTei ? toTeiRanks(call, answer) : toResults(call, answer, events.model)
      },
      { parse: "none" },
    )
  return routes
}

interface Ranked {
  readonly index: number
  readonly score: number
  readonly text: string
}

/** The best documents, best first. */
function ranked({ request, topN }: RerankCall, { vectors }: CompleteVectors): readonly Ranked[] {
  return request.documents
    .map((text, index) => ({ index, score: vectors[index]?.[0] ?? 0, text }))
    .sort((a, b) => b.score - a.score)
    .slice(0, topN)
}

/** In the form of Jina, Cohere, llama-server and vLLM. */
function toResults(call: RerankCall, answer: CompleteVectors, model: string | undefined) {
  const { inputTokens } = answer.usage
  return {
    object: "list",
    model: call.request.model ?? model,
    results: ranked(call, answer).map(({ index, score, text }) => ({
      index,
      relevance_score: score,
      ...(call.returnsDocuments && { document: { text } }),
    })),
    usage: { prompt_tokens: inputTokens, total_tokens: inputTokens },
    timings: toMediaTimingsBody(answer.timings),
  }
}

function toTeiRanks(call: RerankCall, answer: CompleteVectors) {
  return ranked(call, answer).map(({ index, score, text }) => ({
    index,
    score,
    ...(call.returnsDocuments && { text }),
  }))
}
