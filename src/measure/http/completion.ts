import { CannotMeasure } from "../../errors/cli"
import { eventData } from "./event-data"

/** A running server under test, and the model to request. */
export interface Endpoint {
  /** Without a trailing slash. */
  readonly url: string
  readonly model: string
  readonly headers?: Readonly<Record<string, string>>
  /** A Unix socket, in place of the URL's host. */
  readonly socket?: string
  /** Have the server evaluate every prompt as a whole, if it understands that. */
  readonly avoidsCache?: boolean
  /** Aborts all requests when the run is cancelled. */
  readonly signal: AbortSignal
}

export interface SentMessage {
  readonly role: "system" | "user"
  readonly content: string | readonly SentPart[]
}

/** A picture is a data URL. */
export type SentPart =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image_url"; readonly image_url: { readonly url: string } }

/** A function, as OpenAI's API describes it. */
export interface OfferedTool {
  readonly type: "function"
  readonly function: {
    readonly name: string
    readonly description: string
    readonly parameters: Readonly<Record<string, unknown>>
  }
}

/** A chat, or plain text without a template. */
export type SentPrompt =
  | {
      readonly kind: "chat"
      readonly messages: readonly SentMessage[]
      readonly tools?: readonly OfferedTool[]
    }
  | {
      readonly kind: "text"
      readonly text: string
      /** Adapters by their numbers. */
      readonly lora?: readonly { readonly id: number; readonly scale: number }[]
    }

/** The times of one request, in milliseconds on `performance.now()`'s clock. */
export interface Completion {
  readonly sentAt: number
  /** When each piece of text arrived; never empty. */
  readonly textAt: readonly number[]
  /** When the finish reason arrived, right after the last token. */
  readonly finishedAt: number
  readonly promptTokens: number
  /** The server's count: a piece of text may contain several tokens, and a token may have no text. */
  readonly completionTokens: number
}

/** The fields used of a streamed chunk of either endpoint. */
interface Chunk {
  readonly choices?: readonly {
    readonly text?: string
    readonly delta?: { readonly content?: string | null }
    readonly finish_reason?: string | null
  }[]
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null
  readonly error?: { readonly message?: string }
}

/** A token is one character in most languages, and bytes of it at the worst. */
const MOST_PIECES_PER_TOKEN = 16

const STREAMED = {
  stream: true,
  stream_options: { include_usage: true },
  temperature: 0,
  ignore_eos: true,
}

/**
 * Generates `maxTokens` tokens greedily and streams them to the end. A server that does not understand `ignore_eos` may
 * generate fewer.
 * @param onText called for each piece of text with the number of pieces so far
 * @throws CannotMeasure if the server refuses, or the stream ends early
 */
export async function streamCompletion(
  endpoint: Endpoint,
  prompt: SentPrompt,
  maxTokens: number,
  onText?: (pieces: number) => void,
): Promise<Completion> {
  const sentAt = performance.now()
  const response = await post(endpoint, prompt, { ...STREAMED, max_tokens: maxTokens })
  const textAt: number[] = []
  let finishedAt: number | undefined
  let usage: Chunk["usage"]
  for await (const data of eventData(response)) {
    if (data === "[DONE]") break
    // From another program: only the fields above are read, and all are optional.
    const chunk = JSON.parse(data) as Chunk
    if (chunk.error) throw new CannotMeasure(`error in the stream: ${chunk.error.message ?? data}`)
    const choice = chunk.choices?.[0]
    if (choice?.text || choice?.delta?.content) {
      textAt.push(performance.now())
      if (textAt.length > MOST_PIECES_PER_TOKEN * maxTokens)
        throw new CannotMeasure(`asked for ${maxTokens} tokens, and the server does not stop`)
      onText?.(textAt.length)
    }
    if (choice?.finish_reason) finishedAt = performance.now()
    usage = chunk.usage ?? usage
  }
  if (finishedAt === undefined) throw new CannotMeasure("the stream ended without a finish reason")
  if (!usage)
    throw new CannotMeasure("the stream has no usage (stream_options.include_usage is not understood)")
  if (textAt.length === 0) throw new CannotMeasure("no token of the answer has text")
  return {
    sentAt,
    textAt,
    finishedAt,
    promptTokens: usage.prompt_tokens,
    completionTokens: usage.completion_tokens,
  }
}

/** Milliseconds from sending the request to its first text. */
export function timeToFirstToken(completion: Completion): number {
  return (completion.textAt[0] ?? Infinity) - completion.sentAt
}

/** The number of tokens in a plain text, from the server's usage. */
export async function countTokens(endpoint: Endpoint, text: string): Promise<number> {
  const response = await post(endpoint, { kind: "text", text }, { max_tokens: 1 })
  // From another program: only this field is read.
  const { usage } = (await response.json()) as { usage?: { prompt_tokens?: number } }
  if (usage?.prompt_tokens === undefined) throw new CannotMeasure("the answer has no usage.prompt_tokens")
  return usage.prompt_tokens
}

async function post(endpoint: Endpoint, prompt: SentPrompt, parameters: object): Promise<Response> {
  const path = prompt.kind === "chat" ? "/v1/chat/completions" : "/v1/completions"
  const input =
    prompt.kind === "chat"
      ? { messages: prompt.messages, tools: prompt.tools }
      : { prompt: prompt.text, lora: prompt.lora }
  const response = await fetch(endpoint.url + path, {
    ...(endpoint.socket !== undefined && { unix: endpoint.socket }),
    timeout: false,
    method: "POST",
    headers: { "content-type": "application/json", ...endpoint.headers },
    signal: endpoint.signal,
    body: JSON.stringify({
      model: endpoint.model,
      ...(endpoint.avoidsCache === true && { cache_prompt: false }),
      ...input,
      ...parameters,
    }),
  })
  if (response.ok) return response
  throw new CannotMeasure(`HTTP ${response.status} from ${path}: ${(await response.text()).slice(0, 300)}`)
}
