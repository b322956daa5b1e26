import { ApiError, connectionLost, errorIn, errorOf } from "./api-error"
import { noteReached, noteUnreachable } from "./connection"
import { apiKey, askForKey } from "./key"
import { type ServerEvent, SseReader } from "./sse"

interface RequestOptions {
  readonly method?: "GET" | "POST" | "PUT" | "DELETE"
  /** An object is sent as JSON. */
  readonly body?: object | FormData | Blob
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal | undefined
}

/**
 * Sends a request to the server that the page came from. Where the server wants another key, the user is asked for it
 * and the request is sent again.
 * @throws ApiError; what `signal` was aborted with
 */
export async function request(path: string, options: RequestOptions = {}): Promise<Response> {
  for (;;) {
    const key = apiKey.value
    const response = await send(path, options, key)
    if (response.ok) return response
    if (response.status !== 401 || !(await askForKey(key))) throw await errorOf(response)
    options.signal?.throwIfAborted()
  }
}

/** @throws ApiError; what `signal` was aborted with */
export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  return await jsonOf(await request(path, { signal }))
}

/** @throws ApiError; what `signal` was aborted with */
export async function sendJson<T>(path: string, body: object, options: RequestOptions = {}): Promise<T> {
  return await jsonOf(await request(path, { method: "POST", ...options, body }))
}

/** The events of a server-sent stream. @throws ApiError, also for an error that the stream brings */
export async function* streamEvents(path: string, options: RequestOptions): AsyncGenerator<ServerEvent> {
  const response = await request(path, options)
  const reader = new SseReader()
  for await (const text of textsOfBody(response, options.signal)) {
    for (const event of reader.read(text)) {
      if (event.type === "error") throw errorIn(parsed(event.data), response.status)
      yield event
    }
  }
}

/** The values of a stream of JSON lines. @throws ApiError, also for an error that the stream brings */
export async function* streamLines<T>(path: string, options: RequestOptions): AsyncGenerator<T> {
  const response = await request(path, options)
  let rest = ""
  for await (const text of textsOfBody(response, options.signal)) {
    const lines = (rest + text).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) if (line.trim() !== "") yield valueOf<T>(line, response.status)
  }
  if (rest.trim() !== "") yield valueOf<T>(rest, response.status)
}

function valueOf<T>(line: string, status: number): T {
  const value: unknown = parsed(line)
  if (typeof value === "object" && value !== null && "error" in value) throw errorIn(value, status)
  return value as T
}

async function send(path: string, options: RequestOptions, key: string | undefined): Promise<Response> {
  const { method = "GET", body, signal } = options
  const isJson = body !== undefined && !(body instanceof FormData) && !(body instanceof Blob)
  const headers = new Headers(options.headers)
  if (key !== undefined) headers.set("authorization", `Bearer ${key}`)
  if (isJson) headers.set("content-type", "application/json")
  try {
    const response = await fetch(path, {
      method,
      headers,
      cache: "no-store",
      ...(body !== undefined && { body: isJson ? JSON.stringify(body) : body }),
      ...(signal != null && { signal }),
    })
    noteReached()
    return response
  } catch (error) {
    signal?.throwIfAborted()
    // A header that cannot be sent is the key's fault, not the connection's.
    if (key !== undefined && /[^\x20-\x7e]/.test(key))
      throw new ApiError("invalid_api_key", 401, String(error))
    noteUnreachable()
    throw connectionLost()
  }
}

async function jsonOf<T>(response: Response): Promise<T> {
  try {
    return (await response.json()) as T
  } catch {
    throw connectionLost()
  }
}

async function* textsOfBody(response: Response, signal: AbortSignal | undefined): AsyncGenerator<string> {
  if (response.body === null) return
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  try {
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      yield value
    }
  } catch {
    signal?.throwIfAborted()
    noteUnreachable()
    throw connectionLost()
  } finally {
    // Also when the consumer leaves: the server then stops its work.
    reader.cancel().catch(() => {})
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
