/** A small scripted server that answers like xLLM's, for tests of its clients. */
export interface ChatServer extends Disposable {
  readonly url: string
  /** Bodies of the chat requests so far. */
  readonly asked: readonly Record<string, unknown>[]
  readonly stopped: readonly string[]
}

export interface ChatServerOptions {
  /** The pieces of an answer, which may depend on the last message. */
  readonly answer?: (question: string) => readonly string[]
  /** Why the answer ends; absent: `stop`. */
  readonly finishReason?: string
  /** Keeps the answer open after its pieces until the client disconnects. */
  readonly staysOpen?: boolean
  /** Sent after the pieces instead of a normal end. */
  readonly error?: { readonly code: string; readonly message: string }
  /** The loaded models; absent: `smol`. */
  readonly loaded?: readonly { readonly name: string; readonly id: string }[]
  /** Splits the body into chunks of this many bytes. */
  readonly chunkBytes?: number
}

const USAGE = { prompt_tokens: 7, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 2 } }
const TIMINGS = { queue_ms: 1, load_ms: 0, prompt_n: 5, prompt_ms: 10, predicted_n: 3, predicted_ms: 20 }

export const loadedModel = {
  name: "smol",
  kind: "text",
  replica: null,
  id: "0123456789abcdef",
  state: "ready",
  progress: 1,
  pid: 42,
  size_bytes: 150_000_000,
  footprint: null,
  most_bytes: null,
  plan: null,
  notes: [],
  priority: "normal",
  pinned: false,
  active_requests: 2,
  queued_requests: 0,
  loaded_at: null,
  last_used_at: null,
  expires_at: null,
  stays: false,
  info: {
    kind: "text",
    context_length: 8192,
    trained_context_length: 8192,
    rope: null,
    context_limited_by: null,
    slots: 16,
    kv_layout: "unified",
    kv_cells: 8192,
    kv_bytes: 1,
    kv_most_cells: 8192,
    kv_most_bytes: 1,
    model_bytes: 1,
    gpu_layers: 0,
    total_layers: 31,
    devices: [],
    gpu_fallback: null,
    decode_threads: 2,
    prefill_threads: 2,
    vocabulary_size: 1,
    chat_template: "model",
    fill_in_the_middle: false,
    speculation: { is_on: true, explanation: "from earlier text, where it is faster" },
  },
  counters: {
    decode_calls: 0,
    prompt_tokens_evaluated: 0,
    prompt_tokens_cached: 0,
    tokens_generated: 0,
    preemptions: 0,
    kv_growths: 0,
    draft_n: 0,
    draft_n_accepted: 0,
    adapter_switches: 0,
    adapter_loads: 0,
    media_encoded: 0,
    media_encode_ms: 0,
  },
} as const

export function startChatServer(options: ChatServerOptions = {}): ChatServer {
  const asked: Record<string, unknown>[] = []
  const stopped: string[] = []
  const { loaded = [loadedModel] } = options
  const server = Bun.serve({
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url)
      if (pathname === "/v0/health") return Response.json({ status: "ok", version: "0" })
      if (pathname === "/v0/ps") return Response.json({ models: loaded })
      if (pathname === "/v1/models") return Response.json({ data: [{ id: "smol" }, { id: "other" }] })
      if (pathname.startsWith("/v1/models/")) return described(decodeURIComponent(pathname.slice(11)))
      const body = (await request.json()) as Record<string, unknown>
      if (pathname === "/v0/stop") {
        const name = loaded.find((model) => model.name === body["model"])?.name
        if (name !== undefined) stopped.push(name)
        if (name !== undefined) return Response.json({ model: name, stopped: true })
        const error = { message: `model '${String(body["model"])}' not found`, code: "model_not_found" }
        return Response.json({ error }, { status: 404 })
      }
      if (pathname === "/v0/render") return Response.json({ prompt: "", tokens: [], parameters: {} })
      asked.push(body)
      return new Response(stream(body, options), { headers: { "content-type": "text/event-stream" } })
    },
  })
  const url = `http://127.0.0.1:${server.port}`
  return { url, asked, stopped, [Symbol.dispose]: () => void server.stop(true) }
}

/** Finds the model in any case, with or without the tag `latest`. */
function described(asked: string): Response {
  const name = asked.toLowerCase().replace(/:latest$/, "")
  if (name === "smol" || name === "other") return Response.json({ id: name, meta: {} })
  const error = { message: `model '${asked}' not found`, code: "model_not_found" }
  return Response.json({ error }, { status: 404 })
}

function stream(body: Record<string, unknown>, options: ChatServerOptions): ReadableStream<Uint8Array> {
  const messages = body["messages"] as readonly { content: string }[]
  const pieces = options.answer?.(messages.at(-1)?.content ?? "") ?? ["Hello", ", ", "world"]
  const event = (data: unknown) => `data: ${JSON.stringify(data)}\n\n`
  const delta = (content: string) =>
    event({ choices: [{ index: 0, delta: { content }, finish_reason: null }] })
  const end = [
    event({ choices: [{ index: 0, delta: {}, finish_reason: options.finishReason ?? "stop" }] }),
    event({ choices: [], usage: USAGE, timings: TIMINGS }),
    "data: [DONE]\n\n",
  ]
  const last = options.error === undefined ? end : [event({ error: options.error })]
  const text = [": waiting\n\n", ...pieces.map(delta), ...(options.staysOpen ? [] : last)].join("")
  const bytes = new TextEncoder().encode(text)
  const size = options.chunkBytes ?? bytes.length
  return new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size))
      if (!options.staysOpen) controller.close()
    },
  })
}
