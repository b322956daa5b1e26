import { Elysia } from "elysia"
import type { Engine } from "../../engine/contract"
import { InvalidRequest } from "../../errors/request"
import { BODY_BYTES, COUNTS, NUMBERS, TEXTS } from "../../limits"
import { abortControllerFor } from "../context/consume"
import { mayBeSilent } from "../context/idle"
import { requestContextOf } from "../context/request-context"
import { checkInteger, checkText, Fields } from "../read/fields"
import { readJsonObject } from "../read/body/json-body"
import { joinTokens } from "../read/mixed-prompts"
import { readModel } from "../read/options"
import { toPieces } from "../render/pieces"

/** POST /tokenize and /detokenize, in llama-server's form. */
export function nativeTokenRoutes(engine: Engine) {
  const begin = async ({ request, server }: { request: Request; server: Bun.Server<unknown> | null }) => {
    const fields = new Fields(await readJsonObject(request, BODY_BYTES.generation))
    mayBeSilent(request, server)
    const model = await modelOf(engine, readModel(fields))
    requestContextOf(request).found(model)
    return { fields, model, signal: abortControllerFor(request).signal }
  }
  return new Elysia({ name: "llama-server-tokens" })
    .post(
      "/tokenize",
      async (context) => {
        const { fields, model, signal } = await begin(context)
        const content = fields.unchecked("content")
        if (content === undefined) throw new InvalidRequest("content is required", "content")
        const addSpecial = fields.boolean("add_special") ?? false
        const parseSpecial = fields.boolean("parse_special") ?? true
        const withPieces = fields.boolean("with_pieces") ?? false
        if (Array.isArray(content)) {
          if (withPieces)
            throw new InvalidRequest("with_pieces needs content that is one text", "with_pieces")
          const reading = { engine, model, signal, addSpecial, parseSpecial }
          return { tokens: await joinTokens("content", content, reading) }
        }
        const text = checkText("content", content, TEXTS.prompt)
        const asked = { kind: "tokenize", model, text, addSpecial, parseSpecial, withPieces } as const
        const { tokens, pieces } = await engine.tokens(asked, signal)
        if (pieces === undefined) return { tokens: Array.from(tokens) }
        return { tokens: (await toPieces(pieces)).map((piece, place) => ({ id: tokens[place], piece })) }
      },
      { parse: "none" },
    )
    .post(
      "/detokenize",
      async (context) => {
        const { fields, model, signal } = await begin(context)
        const list = fields.list("tokens", COUNTS.promptTokens)
        if (list === undefined) throw new InvalidRequest("tokens is required", "tokens")
        const tokens = Int32Array.from(list, (token, index) =>
          checkInteger(`tokens[${index}]`, token, NUMBERS.tokenId),
        )
        return { content: (await engine.tokens({ kind: "detokenize", model, tokens }, signal)).text ?? "" }
      },
      { parse: "none" },
    )
}

/** Where none is named: the only text model, or where there is none, the only one for embeddings. */
async function modelOf(engine: Engine, model: string | undefined): Promise<string> {
  if (model !== undefined) return (await engine.resolve(model)).name
  const hasText = (await engine.list()).some(({ kind }) => kind === "text")
  return (await engine.resolve(undefined, hasText ? "chat" : "embedding")).name
}
