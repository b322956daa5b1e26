import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

/** What goes wrong with one answer. */
export interface Fault {
  /** Responds with this status instead of the file. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Cuts the connection after this many bytes of the body. */
  readonly dropAfter?: number
  /** Stops sending after this many bytes of the body, but keeps the connection open. */
  readonly stallAfter?: number
  /** Sends the whole file whatever range was requested. */
  readonly ignoreRange?: boolean
  /** Omits the body's length. */
  readonly hideLength?: boolean
  /** Sends the wrong range: this many bytes further on. */
  readonly shift?: number
}

export interface SeenRequest {
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly range: string | undefined
  readonly authorization: string | undefined
  /** Bytes of the body passed to the connection. */
  sent: number
}

export type Respond = (request: SeenRequest, exchange: Exchange) => void | Promise<void>

/** Bytes per write: small enough for faults to occur in between. */
const CHUNK_BYTES = 64 * 1024

/** A real HTTP server on 127.0.0.1 that serves what `respond` returns, counts what it sends, and injects faults. */
export class FaultyServer implements AsyncDisposable {
  readonly requests: SeenRequest[] = []
  /** The fault for a request; `undefined`: none. */
  fault: (request: SeenRequest) => Fault | undefined = () => undefined
  /** Called after each part of a body was sent, and awaited, so that tests can interrupt a transfer. */
  onSent: (request: SeenRequest) => void | Promise<void> = () => {}
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(respond: Respond): Promise<FaultyServer> {
    const server = createServer()
    const faulty = new FaultyServer(server)
    server.on("request", (incoming, outgoing) => {
      const seen: SeenRequest = {
        method: incoming.method ?? "",
        path: incoming.url ?? "",
        range: incoming.headers.range,
        authorization: incoming.headers.authorization,
        sent: 0,
      }
      faulty.requests.push(seen)
      outgoing.on("error", () => {})
      void respond(seen, new Exchange(faulty, seen, incoming, outgoing))
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    return faulty
  }

  get url(): string {
    return `http://${this.host}`
  }

  get host(): string {
    // A server that listens on a port has an address of this type.
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Bytes of bodies sent for paths that begin with `prefix`. */
  sent(prefix = ""): number {
    return this.requests
      .filter(({ path }) => path.startsWith(prefix))
      .reduce((sum, request) => sum + request.sent, 0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }
}

/** One request and its answer. */
export class Exchange {
  readonly #server: FaultyServer
  readonly #seen: SeenRequest
  readonly #incoming: IncomingMessage
  readonly #outgoing: ServerResponse

  constructor(server: FaultyServer, seen: SeenRequest, incoming: IncomingMessage, outgoing: ServerResponse) {
    this.#server = server
    this.#seen = seen
    this.#incoming = incoming
    this.#outgoing = outgoing
  }

  get url(): URL {
    return new URL(this.#seen.path, this.#server.url)
  }

  async body(): Promise<Uint8Array> {
    const chunks: Buffer[] = []
    for await (const chunk of this.#incoming) chunks.push(chunk)
    return Buffer.concat(chunks)
  }

  end(status: number, headers: Readonly<Record<string, string>> = {}, text = ""): void {
    this.#outgoing.writeHead(status, { "content-length": String(Buffer.byteLength(text)), ...headers })
    this.#outgoing.end(text)
  }

  json(value: unknown, headers: Readonly<Record<string, string>> = {}): void {
    this.end(200, { "content-type": "application/json", ...headers }, JSON.stringify(value))
  }

  /** Sends a file as requested, or with the server's fault. */
  async file(content: Uint8Array, etag: string): Promise<void> {
    const fault = this.#server.fault(this.#seen) ?? {}
    if (fault.status !== undefined) return this.end(fault.status, fault.headers)
    const range = fault.ignoreRange ? undefined : parseRange(this.#seen.range, content.length)
    if (range !== undefined && range.start >= content.length) {
      return this.end(416, { "content-range": `bytes */${content.length}` })
    }
    const shift = fault.shift ?? 0
    const { start, end } = range ?? { start: 0, end: content.length }
    const part = content.subarray(start + shift, end + shift)
    this.#outgoing.writeHead(range === undefined ? 200 : 206, {
      etag,
      ...(!fault.hideLength && { "content-length": String(part.length) }),
      ...(range !== undefined && {
        "content-range": `bytes ${start + shift}-${start + shift + part.length - 1}/${content.length}`,
      }),
      ...fault.headers,
    })
    if (this.#seen.method === "HEAD") return void this.#outgoing.end()
    await this.#send(part, fault)
  }

  async #send(part: Uint8Array, { dropAfter = Infinity, stallAfter = Infinity }: Fault): Promise<void> {
    const end = Math.min(part.length, dropAfter, stallAfter)
    while (this.#seen.sent < end) {
      const chunk = part.subarray(this.#seen.sent, Math.min(end, this.#seen.sent + CHUNK_BYTES))
      if (!(await this.#write(chunk))) return
      this.#seen.sent += chunk.length
      await this.#server.onSent(this.#seen)
    }
    if (end === part.length && end < Math.min(dropAfter, stallAfter)) this.#outgoing.end()
    else if (stallAfter > dropAfter) this.#outgoing.socket?.end()
  }

  /** Returns false once the client has disconnected. */
  #write(chunk: Uint8Array): Promise<boolean> {
    return new Promise((resolve) => {
      if (this.#outgoing.destroyed || this.#outgoing.socket?.destroyed) return resolve(false)
      const onClose = () => resolve(false)
      this.#outgoing.once("close", onClose)
      this.#outgoing.write(chunk, () => {
        this.#outgoing.off("close", onClose)
        resolve(true)
      })
    })
  }
}

function parseRange(
  header: string | undefined,
  size: number,
): { readonly start: number; readonly end: number } | undefined {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(header ?? "") ?? []
  if (first === undefined) return undefined
  return { start: Number(first), end: last ? Math.min(size, Number(last) + 1) : size }
}
