import { DownloadFailed } from "../../../errors/store"
import { formatSize } from "../../../lib/text/bytes"
import { version } from "../../../version"

const MAX_REDIRECTS = 10
const REDIRECTS = new Set([301, 302, 303, 307, 308])
/** For listings and manifests; no real one comes near this. */
const MAX_TEXT_BYTES = 16 * 1024 ** 2

/** A request to a server, wherever it redirects to. */
export interface HttpRequest {
  readonly url: string
  readonly method?: "GET" | "HEAD"
  readonly headers?: Readonly<Record<string, string>>
  /** `Authorization`; sent to the host of `url` only. */
  readonly authorization?: string | undefined
  readonly signal: AbortSignal
}

/** The answer after all redirects. */
export interface HttpResponse {
  readonly response: Response
  /** The final URL. */
  readonly url: string
  readonly isRedirected: boolean
  /**
   * Headers of the redirects on the way that describe the file, as Hugging Face sends them (`X-Linked-ETag`,
   * `X-Repo-Commit`).
   */
  readonly redirectHeaders: ReadonlyMap<string, string>
}

/** Where plain HTTP is allowed. */
export interface HttpPolicy {
  /** By an address such as `http://host:port`. */
  allowsPlain(url: URL): boolean
  /** Accept untrusted certificates. */
  readonly acceptsAnyCertificate: boolean
}

/** GET and HEAD with manual redirects: a token must not reach another host, and https must stay https. */
export class HttpClient {
  readonly #policy: HttpPolicy
  readonly #patienceMs: number

  /** @param patienceMs how long a server may take to begin its answer */
  constructor(policy: HttpPolicy, patienceMs: number) {
    this.#policy = policy
    this.#patienceMs = patienceMs
  }

  /** @throws DownloadFailed for a redirect that is not followed; the system's error where there is no answer */
  async open(question: HttpRequest): Promise<HttpResponse> {
    const redirectHeaders = new Map<string, string>()
    const first = new URL(question.url)
    let url = first
    for (let redirects = 0; ; redirects++) {
      this.#check(url, question.url)
      const response = await this.#ask(url, question, url.origin === first.origin)
      response.headers.forEach((value, key) => {
        if (key.startsWith("x-linked-") || key.startsWith("x-repo-")) redirectHeaders.set(key, value)
      })
      const target = response.headers.get("location")
      if (!REDIRECTS.has(response.status) || target === null) {
        return { response, url: url.href, isRedirected: redirects > 0, redirectHeaders }
      }
      await response.body?.cancel()
      if (redirects === MAX_REDIRECTS) throw new DownloadFailed(question.url, "it is redirected in a loop")
      url = this.#next(url, target, question.url)
    }
  }

  /** The whole text of an answer. @throws as {@link bytes} */
  async text(answer: HttpResponse): Promise<string> {
    return new TextDecoder().decode(await this.bytes(answer))
  }

  /** All bytes of an answer. @throws as {@link open}, and for one that is far too long */
  async bytes(answer: HttpResponse): Promise<Uint8Array> {
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of answer.response.body ?? []) {
      size += chunk.length
      if (size > MAX_TEXT_BYTES)
        throw new DownloadFailed(answer.url, `the answer is longer than ${formatSize(MAX_TEXT_BYTES)}`)
      chunks.push(chunk)
    }
    return Buffer.concat(chunks)
  }

  #next(from: URL, target: string, requested: string): URL {
    const next = URL.parse(target, from.href)
    if (next === null) throw new DownloadFailed(requested, "it is redirected to an invalid URL")
    if (from.protocol === "https:" && next.protocol !== "https:") {
      throw new DownloadFailed(requested, `it is redirected from https to ${next.protocol}//${next.host}`)
    }
    return next
  }

  #check(url: URL, requested: string): void {
    if (url.protocol === "https:") return
    if (url.protocol === "http:" && this.#policy.allowsPlain(url)) return
    throw new DownloadFailed(
      requested,
      url.protocol === "http:"
        ? `${url.host} would be asked over plain HTTP, which needs --insecure`
        : `'${url.protocol}' is not supported`,
    )
  }

  async #ask({ href, host }: URL, question: HttpRequest, isFirstHost: boolean): Promise<Response> {
    const { method = "GET", headers = {}, authorization, signal } = question
    // Limits the wait for the headers only.
    const patience = new AbortController()
    const timer = setTimeout(
      () => patience.abort(new DOMException(`${host} does not answer`, "TimeoutError")),
      this.#patienceMs,
    )
    try {
      return await fetch(href, {
        method,
        redirect: "manual",
        headers: {
          // A compressed answer has no ranges and no length.
          "accept-encoding": "identity",
          "user-agent": `xllm/${version}`,
          ...headers,
          ...(authorization !== undefined && isFirstHost && { authorization }),
        },
        signal: AbortSignal.any([signal, patience.signal]),
        // Bun's own limit would end longer downloads.
        timeout: false,
        ...(this.#policy.acceptsAnyCertificate && { tls: { rejectUnauthorized: false } }),
      })
    } finally {
      clearTimeout(timer)
    }
  }
}

/** Discards an answer without reading it. */
export async function drop({ response }: HttpResponse): Promise<void> {
  await response.body?.cancel().catch(() => {})
}
