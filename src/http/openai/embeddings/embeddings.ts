import { Elysia } from "elysia"
import { breathe } from "../../../lib/async/breathe"
import { BODY_BYTES } from "../../../limits"
import { abortControllerFor, consume } from "../../context/consume"
import { mayBeSilent } from "../../context/idle"
import { requestContextOf } from "../../context/request-context"
import { readHeaderOptions } from "../../read/headers"
import { readJsonObject } from "../../read/body/json-body"
import { joinMixedPrompts } from "../../read/mixed-prompts"
import { toMediaTimingsBody } from "../../render/timings"
import { type CompleteVectors, VectorBuilder } from "../../render/vectors"
import type { OpenAiContext } from "../reply"
import { type EmbeddingCall, toEmbeddingCall } from "./embedding-call"

/** Numbers that are written at a time: a few milliseconds. */
const NUMBERS_AT_A_TIME = 32_768

/** POST /v1/embeddings */
export function embeddingRoutes(context: OpenAiContext) {
  return new Elysia({ name: "openai-embeddings" }).post(
    "/v1/embeddings",
    async ({ request, server }) => {
      const requestContext = requestContextOf(request)
      const given = await readJsonObject(request, BODY_BYTES.generation)
      mayBeSilent(request, server)
      const client = abortControllerFor(request)
      const { engine } = context
      const body = await joinMixedPrompts(given, "input", {
        engine,
        kind: "embedding",
        signal: client.signal,
      })
      const call = toEmbeddingCall(body, readHeaderOptions(request))
      requestContext.logRequests([call.request], context.settings().logContent)
      const events = requestContext.takeModelFrom(engine.embed(call.request, client.signal))
      const builder = new VectorBuilder(call.request.inputs.length)
      await consume(events[Symbol.asyncIterator](), client.signal, (event) => builder.add(event))
      const answer = builder.build()
      requestContext.measured({ texts: answer.usage.inputs, tokens: answer.usage.inputTokens })
      return await toEmbeddingList(call, answer, call.request.model ?? events.model ?? "")
    },
    { parse: "none" },
  )
}

/** Written in pieces: the numbers of thousands of vectors take a second. */
async function toEmbeddingList(
  { encoding }: EmbeddingCall,
  { vectors, usage, timings }: CompleteVectors,
  model: string,
): Promise<Response> {
  const parts: string[] = [`{"object":"list","data":[`]
  let numbers = 0
  for (const [index, vector] of vectors.entries()) {
    const embedding = encoding === "base64" ? `"${toBase64(vector)}"` : `[${vector.join(",")}]`
    parts.push(`${index > 0 ? "," : ""}{"object":"embedding","index":${index},"embedding":${embedding}}`)
    numbers += vector.length
    if (numbers < NUMBERS_AT_A_TIME) continue
    numbers = 0
    await breathe()
  }
  const { inputTokens } = usage
  const rest = {
    model,
    usage: { prompt_tokens: inputTokens, total_tokens: inputTokens },
    timings: toMediaTimingsBody(timings),
  }
  parts.push(`],${JSON.stringify(rest).slice(1)}`)
  return new Response(new Blob(parts), { headers: { "content-type": "application/json" } })
}

/** Of little-endian 32-bit numbers, as OpenAI's clients read them. */
function toBase64({ buffer, byteOffset, byteLength }: Float32Array): string {
  return new Uint8Array(buffer, byteOffset, byteLength).toBase64()
}
