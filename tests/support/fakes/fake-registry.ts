import { sha256 } from "./fake-hub"
import { type Exchange, FaultyServer, type SeenRequest } from "./faulty-server"

/** The contents of a model; each becomes a layer. */
export interface RegistryModelContent {
  readonly model?: Uint8Array
  readonly projector?: Uint8Array
  readonly adapter?: Uint8Array
  readonly template?: string
  readonly system?: string
  readonly params?: object
  readonly messages?: readonly object[]
  readonly license?: string
  readonly config?: object
}

const TYPE = "application/vnd.ollama.image."

/**
 * A registry like Ollama's: manifests, blobs served directly or by redirect to another host, and tokens if required.
 */
export class FakeRegistry implements AsyncDisposable {
  readonly server: FaultyServer
  readonly storage: FaultyServer
  /** Redirect blobs to the other host? */
  redirects = true
  /** If set, requests need this token, which `/token` of this host issues. */
  token: string | undefined
  /** The number of tokens issued. */
  tokens = 0
  realm: string | undefined
  /** If set, manifest requests are never answered; called for each of them. */
  silent: (() => void) | undefined
  readonly #manifests = new Map<string, string>()
  readonly #blobs = new Map<string, Uint8Array>()

  private constructor(server: FaultyServer, storage: FaultyServer) {
    this.server = server
    this.storage = storage
  }

  static async start(): Promise<FakeRegistry> {
    const registry: FakeRegistry = new FakeRegistry(
      await FaultyServer.start((request, exchange) => registry.#answer(request, exchange)),
      await FaultyServer.start((_request, exchange) => registry.#blob(exchange)),
    )
    return registry
  }

  get url(): string {
    return this.server.url
  }

  get host(): string {
    return this.server.host
  }

  /** Publishes `namespace/model:tag`. */
  publish(name: string, content: RegistryModelContent): void {
    const layers = Object.entries(content).flatMap(([kind, value]) => {
      if (kind === "config") return []
      return [{ ...this.#store(value), mediaType: `${TYPE}${kind}` }]
    })
    const config = {
      ...this.#store({ model_format: "gguf", ...content.config }),
      mediaType: "application/vnd.docker.container.image.v1+json",
    }
    const mediaType = "application/vnd.docker.distribution.manifest.v2+json"
    this.#manifests.set(name, JSON.stringify({ schemaVersion: 2, mediaType, config, layers }))
  }

  #store(value: Uint8Array | string | object): { readonly digest: string; readonly size: number } {
    const text = typeof value === "string" ? value : JSON.stringify(value)
    const bytes = value instanceof Uint8Array ? value : new TextEncoder().encode(text)
    const digest = `sha256:${sha256(bytes)}`
    this.#blobs.set(digest, bytes)
    return { digest, size: bytes.length }
  }

  async #answer({ authorization }: SeenRequest, exchange: Exchange): Promise<void> {
    const { pathname } = exchange.url
    if (pathname === "/token") {
      this.tokens++
      return exchange.json({ token: this.token })
    }
    if (this.token !== undefined && authorization !== `Bearer ${this.token}`) {
      const realm = this.realm ?? `${this.url}/token`
      const challenge = `Bearer realm="${realm}",service="fake",scope="repository:x:pull"`
      return exchange.end(401, { "www-authenticate": challenge })
    }
    const [, name, kind, reference] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(pathname) ?? []
    if (kind === "manifests" && this.silent !== undefined) return this.silent()
    if (kind === "manifests") {
      const manifest = this.#manifests.get(`${name}:${reference}`)
      return manifest === undefined ? exchange.end(404) : exchange.end(200, {}, manifest)
    }
    if (kind !== "blobs") return exchange.end(404)
    if (this.redirects) return exchange.end(307, { location: `${this.storage.url}/${reference}` })
    await this.#blob(exchange)
  }

  async #blob(exchange: Exchange): Promise<void> {
    const digest = exchange.url.pathname.split("/").at(-1) ?? ""
    const content = this.#blobs.get(digest)
    if (content === undefined) return exchange.end(404)
    await exchange.file(content, `"${digest}"`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]()
    await this.storage[Symbol.asyncDispose]()
  }
}
