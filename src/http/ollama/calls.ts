import type { ChatMessage, ChatRequest, CompletionRequest, MediaPart } from "../../domain/chat"
import { contentOf } from "../../domain/content"
import { InvalidRequest } from "../../errors/request"
import { COUNTS, NUMBERS, TEXTS } from "../../limits"
import { checkInteger, checkList, Fields } from "../read/fields"
import type { HeaderOptions } from "../read/headers"
import type { JsonObject } from "../read/body/json-body"
import { type MediaSink, TEXT_ONLY } from "../read/media/media-sink"
import { readOllamaMessages, readOllamaTools } from "./messages"
import { readImages } from "./images"
import { type CommonCall, readCommon } from "./options"

/** A call of `/api/chat` or `/api/generate`. */
export interface OllamaCall extends CommonCall {
  /** Absent: there is nothing to answer, so the model is only loaded or unloaded. */
  readonly request?: ChatRequest | CompletionRequest
  /** Tokens of an earlier answer that this one continues; for `/api/generate`. */
  readonly context: readonly number[]
  /** Report the tokens of prompt and answer, for a later request's `context`. */
  readonly reportsContext: boolean
}

/** @throws InvalidRequest, Unsupported */
export function toOllamaChat(
  body: JsonObject,
  headers: HeaderOptions = {},
  media: MediaSink = TEXT_ONLY,
): OllamaCall {
  const fields = new Fields(body)
  const common = readCommon(fields, headers)
  const messages = readOllamaMessages(fields, media)
  const tools = readOllamaTools(fields)
  const use = tools.length > 0 && ({ tools, choice: "auto", isParallel: true } as const)
  return {
    ...common,
    context: [],
    reportsContext: false,
    ...(messages.length > 0 && { request: { ...chatOf(common, messages), ...(use && { tools: use }) } }),
  }
}

/** @throws InvalidRequest, Unsupported */
export function toOllamaGenerate(
  body: JsonObject,
  headers: HeaderOptions = {},
  media: MediaSink = TEXT_ONLY,
): OllamaCall {
  const fields = new Fields(body)
  const common = readCommon(fields, headers)
  const prompt = fields.text("prompt", TEXTS.prompt) ?? ""
  const suffix = fields.text("suffix", TEXTS.prompt) ?? ""
  const system = fields.text("system", TEXTS.prompt) ?? ""
  const isRaw = fields.boolean("raw") ?? false
  const images = readImages(fields, "", media)
  const template = fields.text("template", TEXTS.template) ?? ""
  const context = readContext(fields)
  if (isRaw && (system !== "" || template !== "" || context.length > 0))
    throw new InvalidRequest("raw cannot be combined with template, system or context", "raw")
  if (images.length > 0 && (suffix !== "" || context.length > 0))
    throw new InvalidRequest("images cannot be combined with suffix or context", "images")
  // A later prompt of tokens has no place for images.
  const call = { ...common, context, reportsContext: !isRaw && images.length === 0 }
  if (prompt === "" && suffix === "" && images.length === 0) return call
  if (isRaw || (suffix !== "" && template === "")) {
    const completion: CompletionRequest = {
      ...common.shared,
      kind: "completion",
      ...rawPrompt(images, prompt),
      echo: false,
      ...(suffix !== "" && { suffix }),
    }
    return { ...call, request: completion }
  }
  const messages: ChatMessage[] = [
    ...(system === "" ? [] : [{ role: "system", content: system } as const]),
    { role: "user", content: contentOf(images, prompt) },
  ]
  const chat = chatOf(common, messages)
  if (template === "") return { ...call, request: chat }
  return { ...call, request: { ...chat, template, ...(suffix !== "" && { templateArguments: { suffix } }) } }
}

/** Images come first here too. */
function rawPrompt(
  images: readonly MediaPart[],
  prompt: string,
): Pick<CompletionRequest, "prompt" | "media"> {
  if (images.length === 0) return { prompt }
  const mark = crypto.randomUUID()
  return { prompt: mark.repeat(images.length) + prompt, media: { mark, parts: images } }
}

function chatOf({ shared, reasoning }: CommonCall, messages: readonly ChatMessage[]): ChatRequest {
  return {
    ...shared,
    kind: "chat",
    messages,
    templateArguments: {},
    addGenerationPrompt: messages.at(-1)?.role !== "assistant",
    continueFinalMessage: messages.at(-1)?.role === "assistant",
    ...(reasoning !== undefined && { reasoning }),
  }
}

function readContext(fields: Fields): readonly number[] {
  const given = checkList("context", fields.unchecked("context") ?? [], COUNTS.promptTokens)
  return given.map((token, index) => checkInteger(`context[${index}]`, token, NUMBERS.tokenId))
}
