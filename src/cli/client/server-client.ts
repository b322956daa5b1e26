import type { ServerLocation } from "../../config/settings"
import { reasonOf, XllmError } from "../../errors/base"
import { ApiKeyRefused, ServerUnreachable, UnexpectedServerResponse } from "../../errors/cli"
import { Cancelled } from "../../errors/request"
import type { FailedModelBody, LoadedModelBody } from "../../http/v0/bodies/loaded-model"
import type { MemoriesBody } from "../../http/v0/bodies/memory"
import type { StopBody } from "../../http/v0/bodies/stop"
import { type JsonRecord, numberAt, recordAt, recordsAt, textAt, toRecord } from "../../lib/json"
import { OversizedEvent, readEvents } from "./sse"

type Body = JsonRecord | FormData

/** The content of a stream: data, comments while waiting, and the `[DONE]` marker of some routes. */
export type StreamedEvent =
  | { readonly type: "data"; readonly data: JsonRecord }
  | { readonly type: "comment"; readonly text: string }
  | { readonly type: "done" }

/** A name for a model. */
export interface ListedModel {
  readonly id: string
  /** The model's own name; absent: the id is. */
  readonly aliasOf?: string
}

/** A server's description of a model. */
export interface DescribedModel {
  readonly name: string
  readonly meta: JsonRecord
}

/** Vectors in the order of their texts, and the tokens of all texts. */
interface EmbeddingsBody {
  readonly vectors: readonly Float32Array[]
  readonly tokens: number
}

/** A server that does not answer within this time counts as absent, in milliseconds. */
const PROBE_MS = 2000

/** HTTP client for a running server. All methods throw XllmErrors, including the server's own. */
export class ServerClient {
  /** The server's name in messages. */
  readonly name: string
  readonly #url: string
  readonly #init: BunFetchRequestInit
  readonly #headers: Readonly<Record<string, string>>

  constructor({ url, socket, apiKey }: Pick<ServerLocation, "url" | "socket" | "apiKey">) {
    this.name = socket === undefined ? url : `unix:${socket}`
    this.#url = url
    this.#headers = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }
    const { hostname } = new URL(url)
    const isLocal = hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.")
    // Proxies cannot reach this machine's own addresses. By default Bun ends requests after 5 minutes.
    this.#init = {
      timeout: false,
      ...(isLocal && { proxy: false }),
      ...(socket !== undefined && { unix: socket }),
    }
  }

  /** Does an xLLM server answer at this address? */
  async isThere(): Promise<boolean> {
    return (await this.look()) === "there"
  }

  /** Looks for an xLLM server at this address; an ApiKeyRefused: there is one that refuses the API key. */
  async look(): Promise<"there" | "absent" | ApiKeyRefused> {
    try {
      const health = await this.#json("GET", "/v0/health", undefined, AbortSignal.timeout(PROBE_MS))
      const isOurs = textAt(health, "status") !== undefined && textAt(health, "version") !== undefined
      return isOurs ? "there" : "absent"
    } catch (error) {
      return error instanceof ApiKeyRefused ? error : "absent"
    }
  }

  /** Requests that the server is answering; undefined where it does not say. */
  async running(): Promise<number | undefined> {
    const health = await this.#json("GET", "/v0/health", undefined, AbortSignal.timeout(PROBE_MS))
    return numberAt(recordAt(health, "queue"), "running")
  }

  /** The models that the server has loaded. */
  async ps(signal?: AbortSignal): Promise<readonly LoadedModelBody[]> {
    const body = await this.#json("GET", "/v0/ps", undefined, signal)
    if (!Array.isArray(body["models"])) throw this.#strange("/v0/ps")
    // Safe: both ends are from the same build, or from one that keeps /v0 compatible.
    return body["models"] as readonly LoadedModelBody[]
  }

  /** Models that failed to load, or whose worker died. Earlier versions do not report them. */
  async failed(): Promise<readonly FailedModelBody[]> {
    const { failed } = await this.#json("GET", "/v0/ps")
    return Array.isArray(failed) ? (failed as readonly FailedModelBody[]) : []
  }

  /** The memory available to models, and how much of it is free. */
  async memory(): Promise<MemoriesBody> {
    const memory = recordAt(await this.#json("GET", "/v0/system"), "memory")
    if (recordAt(memory, "system") === undefined) throw this.#strange("/v0/system")
    // The route's type, as above; via `unknown` because a record has none of its fields.
    return memory as unknown as MemoriesBody
  }

  /** Unloads a model; `stopped` is false if it was not loaded. */
  async stop(model: string): Promise<StopBody> {
    const body = await this.#json("POST", "/v0/stop", { model })
    const { stopped } = body
    if (typeof stopped !== "boolean") throw this.#strange("/v0/stop")
    return { model: textAt(body, "model") ?? model, stopped }
  }

  /** The names that requests may use. */
  async models(): Promise<readonly ListedModel[]> {
    const body = await this.#json("GET", "/v1/models")
    return recordsAt(body, "data").flatMap((model) => {
      const [id, aliasOf] = [textAt(model, "id"), textAt(model, "alias_of")]
      return id === undefined ? [] : [{ id, ...(aliasOf !== undefined && { aliasOf }) }]
    })
  }

  /** The server's name for a model, and its facts. @throws ModelNotFound's code, as the server does */
  async model(model: string): Promise<DescribedModel> {
    const path = modelPath(model)
    const body = await this.#json("GET", path)
    const [name, meta] = [textAt(body, "alias_of") ?? textAt(body, "id"), recordAt(body, "meta")]
    if (name === undefined || meta === undefined) throw this.#strange(path)
    return { name, meta }
  }

  /** Makes the server load a model unless it is loaded already. */
  async load(model: string, signal: AbortSignal): Promise<void> {
    // Rendering a prompt is the cheapest request that needs the model.
    await this.#json("POST", "/v0/render", { model, messages: [{ role: "user", content: "" }] }, signal)
  }

  /** The vectors of texts. */
  async embed(body: JsonRecord, signal: AbortSignal): Promise<EmbeddingsBody> {
    const path = "/v1/embeddings"
    const answer = await this.#json("POST", path, body, signal)
    const vectors = recordsAt(answer, "data").map((one) => textAt(one, "embedding"))
    const tokens = numberAt(recordAt(answer, "usage"), "prompt_tokens")
    if (tokens === undefined || !vectors.every((vector) => vector !== undefined)) throw this.#strange(path)
    return { vectors: vectors.map(toFloats), tokens }
  }

  /**
   * The events of a streaming route, called with a JSON or form body.
   * @throws XllmError for an error event
   */
  async *events(
    path: string,
    body: JsonRecord | FormData,
    signal: AbortSignal,
  ): AsyncGenerator<StreamedEvent> {
    const response = await this.#fetch("POST", path, body, signal)
    if (response.body === null) throw this.#strange(path)
    try {
      for await (const event of readEvents(response.body)) {
        if (event.type === "comment") yield event
        else if (event.data === "[DONE]") yield { type: "done" }
        else yield { type: "data", data: this.#chunk(event.data) }
      }
    } catch (error) {
      throw this.#explain(error, signal)
    }
  }

  /** The error for a stream without a final event. */
  endedEarly(): UnexpectedServerResponse {
    return new UnexpectedServerResponse(this.name, "ended its answer early")
  }

  #chunk(data: string): JsonRecord {
    const chunk = toRecord(parse(data))
    if (chunk === undefined)
      throw new UnexpectedServerResponse(this.name, `sent an event that is not a JSON object: ${data}`)
    const error = recordAt(chunk, "error")
    if (error !== undefined) throw toError(error, 500)
    return chunk
  }

  async #json(method: string, path: string, body?: JsonRecord, signal?: AbortSignal): Promise<JsonRecord> {
    const response = await this.#fetch(method, path, body, signal)
    const record = toRecord(parse(await this.#text(response, signal)))
    if (record === undefined) throw this.#strange(path)
    return record
  }

  async #text(response: Response, signal?: AbortSignal): Promise<string> {
    try {
      return await response.text()
    } catch (error) {
      throw this.#explain(error, signal)
    }
  }

  /** Returns a successful response, and throws otherwise. */
  async #fetch(method: string, path: string, body?: Body, signal?: AbortSignal): Promise<Response> {
    const response = await this.#send(method, path, body, signal)
    if (response.ok) return response
    const error = recordAt(toRecord(parse(await this.#text(response, signal))), "error")
    if (error === undefined)
      throw new UnexpectedServerResponse(this.name, `answered ${response.status} to ${path}`)
    if (response.status === 401 && textAt(error, "code") === "invalid_api_key")
      throw new ApiKeyRefused(this.name, this.#headers["authorization"] !== undefined)
    throw toError(error, response.status)
  }

  async #send(method: string, path: string, body?: Body, signal?: AbortSignal): Promise<Response> {
    // A form sets its own Content-Type.
    const isJson = body !== undefined && !(body instanceof FormData)
    try {
      return await fetch(this.#url + path, {
        ...this.#init,
        method,
        headers: { ...this.#headers, ...(isJson && { "content-type": "application/json" }) },
        ...(body !== undefined && { body: isJson ? JSON.stringify(body) : body }),
        ...(signal !== undefined && { signal }),
      })
    } catch (error) {
      if (signal?.aborted) throw new Cancelled()
      throw new ServerUnreachable(this.name, error)
    }
  }

  #explain(error: unknown, signal: AbortSignal | undefined): XllmError {
    if (signal?.aborted) return new Cancelled()
    if (error instanceof XllmError) return error
    if (error instanceof OversizedEvent) {
      return new UnexpectedServerResponse(
        this.name,
        `does not stream as an xLLM server does: ${error.message}`,
      )
    }
    return new UnexpectedServerResponse(this.name, `closed the connection early: ${reasonOf(error)}`)
  }

  #strange(path: string): UnexpectedServerResponse {
    return new UnexpectedServerResponse(this.name, `did not answer ${path} as an xLLM server does`)
  }
}

/** A name consisting of dots would address another route. */
function modelPath(model: string): string {
  return `/v1/models/${/^\.+$/.test(model) ? `${model}:latest` : encodeURIComponent(model)}`
}

/** Of base64, as little-endian 32-bit numbers. */
function toFloats(text: string): Float32Array {
  const { buffer } = Uint8Array.fromBase64(text)
  return new Float32Array(buffer)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Converts an `error` object in OpenAI's form. */
function toError(error: JsonRecord, status: number): XllmError {
  const code = textAt(error, "code") ?? textAt(error, "type") ?? "server_error"
  const known = numberAt(error, "status") ?? status
  const { message: _message, type: _type, param: _param, code: _code, ...details } = error
  return new XllmError(code, known, textAt(error, "message") ?? `the server failed (${code})`, { details })
}
