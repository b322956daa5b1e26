/** Statistics of a streamed answer. */
export interface ChatSummary {
  readonly tokens: number
  readonly tokensPerSecond: number
  readonly firstTokenMs: number
}

/** The fields used of a chunk in OpenAI's streaming format; the server's tests guarantee them. */
interface Chunk {
  readonly choices: readonly { readonly delta: { readonly content?: string | null } }[]
  readonly usage?: { readonly completion_tokens: number } | null
  readonly error?: { readonly message: string }
}

/**
 * Asks a question like any OpenAI client, and passes on the answer as it arrives. The speed is measured from the
 * first piece of text to the end.
 * @throws Error with the server's message if it returns an error
 */
export async function streamChat(
  url: string,
  question: string,
  onText: (text: string) => void,
): Promise<ChatSummary> {
  const startedAt = performance.now()
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      messages: [{ role: "user", content: question }],
      max_tokens: 128,
      temperature: 0,
      stream: true,
      stream_options: { include_usage: true },
    }),
  })
  if (!response.ok || !response.body)
    throw new Error(`the server answered ${response.status}: ${await response.text()}`)
  let tokens = 0
  let firstAt: number | undefined
  for await (const chunk of chunksOf(response.body)) {
    if (chunk.error) throw new Error(chunk.error.message)
    const text = chunk.choices[0]?.delta.content
    if (text) {
      firstAt ??= performance.now()
      onText(text)
    }
    tokens = chunk.usage?.completion_tokens ?? tokens
  }
  if (firstAt === undefined) throw new Error("the model answered with no text")
  const seconds = (performance.now() - firstAt) / 1000
  return { tokens, tokensPerSecond: Math.max(tokens - 1, 0) / seconds, firstTokenMs: firstAt - startedAt }
}

async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Chunk> {
  const decoder = new TextDecoder()
  let rest = ""
  for await (const bytes of body) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) {
      const data = line.startsWith("data: ") ? line.slice("data: ".length) : undefined
      if (data === "[DONE]") return
      if (data !== undefined) yield JSON.parse(data) as Chunk // the server guarantees the format
    }
  }
  throw new Error("the answer ended before its end mark")
}
