import { Elysia } from "elysia"
import type { TokensRequest, TokensResult } from "../../domain/tokens"
import { InvalidRequest } from "../../errors/request"
import { BODY_BYTES, COUNTS, NUMBERS, TEXTS } from "../../limits"
import { abortControllerFor } from "../context/consume"
import { mayBeSilent } from "../context/idle"
import { requestContextOf } from "../context/request-context"
import { checkInteger, Fields } from "../read/fields"
import { readHeaderOptions } from "../read/headers"
import { readJsonObject } from "../read/body/json-body"
import { readingMedia } from "../read/media/media-intake"
import { readModel } from "../read/options"
import { toPieces } from "../render/pieces"
import type { GenerationContext, ReadGeneration } from "./control"

/** POST /v0/tokenize. `pieces`: texts, or bytes where a token is a part of a character. */
interface TokenizeBody {
  readonly tokens: readonly number[]
  readonly count: number
  readonly pieces?: readonly (string | readonly number[])[]
}

/** POST /v0/tokenize, /v0/detokenize and /v0/count. `readGeneration`: see `controlRoutes`. */
export function tokenRoutes(context: GenerationContext, readGeneration: ReadGeneration) {
  const { engine } = context
  const ask = async (request: Request, read: (fields: Fields) => TokensRequest): Promise<TokensResult> => {
    const asked = read(new Fields(await readJsonObject(request, BODY_BYTES.generation)))
    if (asked.model !== undefined) requestContextOf(request).found((await engine.resolve(asked.model)).name)
    return await engine.tokens(asked, abortControllerFor(request).signal)
  }
  return new Elysia({ name: "v0-tokens" })
    .post(
      "/v0/tokenize",
      async ({ request, server }): Promise<TokenizeBody> => {
        mayBeSilent(request, server)
        return await toTokenizeBody(await ask(request, toTokenizeRequest))
      },
      { parse: "none" },
    )
    .post(
      "/v0/detokenize",
      async ({ request, server }) => {
        mayBeSilent(request, server)
        return { text: (await ask(request, toDetokenizeRequest)).text ?? "" }
      },
      { parse: "none" },
    )
    .post(
      "/v0/count",
      async ({ request, server }) => {
        const generation = await readingMedia(context, request, (body, media) =>
          readGeneration(body, readHeaderOptions(request), media),
        )
        mayBeSilent(request, server)
        requestContextOf(request).found((await engine.resolve(generation.model, generation.kind)).name)
        const { tokens } = await engine.render(generation, abortControllerFor(request).signal)
        return { tokens: tokens.length }
      },
      { parse: "none" },
    )
}

/** @throws InvalidRequest */
function toTokenizeRequest(fields: Fields): TokensRequest {
  const text = fields.text("text", TEXTS.tokenized) ?? fields.text("content", TEXTS.tokenized)
  if (text === undefined) throw new InvalidRequest("text is required", "text")
  const model = readModel(fields)
  return {
    kind: "tokenize",
    ...(model !== undefined && { model }),
    text,
    addSpecial: fields.boolean("add_special") ?? false,
    parseSpecial: fields.boolean("parse_special") ?? true,
    withPieces: fields.boolean("with_pieces") ?? false,
  }
}

/** @throws InvalidRequest */
function toDetokenizeRequest(fields: Fields): TokensRequest {
  const list = fields.list("tokens", COUNTS.promptTokens)
  if (list === undefined) throw new InvalidRequest("tokens is required", "tokens")
  const model = readModel(fields)
  const tokens = Int32Array.from(list, (token, index) =>
    checkInteger(`tokens[${index}]`, token, NUMBERS.tokenId),
  )
  return { kind: "detokenize", ...(model !== undefined && { model }), tokens }
}

async function toTokenizeBody({ tokens, pieces }: TokensResult): Promise<TokenizeBody> {
  const body = { tokens: Array.from(tokens), count: tokens.length }
  return pieces === undefined ? body : { ...body, pieces: await toPieces(pieces) }
}
