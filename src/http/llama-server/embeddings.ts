import { Elysia } from "elysia"
import type { EmbeddingRequest } from "../../domain/embedding"
import { BODY_BYTES } from "../../limits"
import { abortControllerFor, consume } from "../context/consume"
import { mayBeSilent } from "../context/idle"
import { requestContextOf } from "../context/request-context"
import { type HeaderOptions, readHeaderOptions } from "../read/headers"
import { type JsonObject, readJsonObject } from "../read/body/json-body"
import { joinMixedPrompts } from "../read/mixed-prompts"
import { VectorBuilder } from "../render/vectors"
import type { NativeContext } from "./completion"

/** Reads the body of an embedding request. @throws InvalidRequest, Unsupported */
type ReadEmbedding = (body: JsonObject, headers: HeaderOptions) => EmbeddingRequest

/**
 * POST /embedding and /embeddings, in llama-server's own form: `content` has what `input` has elsewhere, and every
 * text has a list of vectors: of its tokens where they are not pooled, otherwise one. `read`: the dialect whose fields these are otherwise.
 */
export function nativeEmbeddingRoutes({ engine, settings }: NativeContext, read: ReadEmbedding) {
  const embed = async ({ request, server }: { request: Request; server: Bun.Server<unknown> | null }) => {
    const requestContext = requestContextOf(request)
    const { content, ...body } = await readJsonObject(request, BODY_BYTES.generation)
    const client = abortControllerFor(request)
    mayBeSilent(request, server)
    const joined = await joinMixedPrompts({ ...body, input: body["input"] ?? content }, "input", {
      engine,
      kind: "embedding",
      signal: client.signal,
    })
    const call = { ...read(joined, readHeaderOptions(request)), takesTokens: true as const }
    requestContext.logRequests([call], settings().logContent)
    const builder = new VectorBuilder(call.inputs.length)
    const events = requestContext.takeModelFrom(engine.embed(call, client.signal))
    await consume(events[Symbol.asyncIterator](), client.signal, (event) => builder.add(event))
    const { vectors, usage, tokenWidth } = builder.build()
    requestContext.measured({ texts: usage.inputs, tokens: usage.inputTokens })
    return vectors.map((vector, index) => ({ index, embedding: rowsOf(vector, tokenWidth) }))
  }
  return new Elysia({ name: "llama-server-embeddings" })
    .post("/embedding", embed, { parse: "none" })
    .post("/embeddings", embed, { parse: "none" })
}

function rowsOf(vector: Float32Array, width = vector.length): readonly (readonly number[])[] {
  const count = width === 0 ? 0 : vector.length / width
  return Array.from({ length: count }, (_, row) =>
    Array.from(vector.subarray(row * width, (row + 1) * width)),
  )
}
