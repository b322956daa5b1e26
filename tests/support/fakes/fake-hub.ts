import { createHash } from "node:crypto"
import { type Exchange, FaultyServer, type SeenRequest } from "./faulty-server"

export interface HubRepository {
  /** Content by path; changing it while the hub runs makes a new commit. */
  files: Readonly<Record<string, Uint8Array | string>>
  /** Reading requires this token. */
  token?: string
  license?: string
  /** Paths listed with a wrong SHA-256. */
  wrongSums?: readonly string[]
}

/** Files of at least this size are listed with their SHA-256, smaller ones only with their git hash. */
const LARGE_BYTES = 1024
/** Entries per page of a listing. */
const PAGE = 3

/**
 * A hub like Hugging Face: paged listings, small files answered directly, large ones by a redirect to a signed URL on
 * another host, which expires.
 */
export class FakeHub implements AsyncDisposable {
  readonly repositories: Record<string, HubRepository> = {}
  readonly api: FaultyServer
  /** Serves the large files. */
  readonly storage: FaultyServer
  /** How many requests a signed URL is valid for. */
  signatureUses = Infinity
  readonly #uses = new Map<string, number>()
  #signatures = 0

  private constructor(api: FaultyServer, storage: FaultyServer) {
    this.api = api
    this.storage = storage
  }

  static async start(): Promise<FakeHub> {
    const hub: FakeHub = new FakeHub(
      await FaultyServer.start((request, exchange) => hub.#answer(request, exchange)),
      await FaultyServer.start((_request, exchange) => hub.#download(exchange)),
    )
    return hub
  }

  get url(): string {
    return this.api.url
  }

  /** The number of signed URLs issued. */
  get signatures(): number {
    return this.#signatures
  }

  async #answer({ authorization }: SeenRequest, exchange: Exchange): Promise<void> {
    const parts = decodeURIComponent(exchange.url.pathname).split("/").slice(1)
    const [id, rest] =
      parts[0] === "api" ? [parts.slice(2, 4), parts.slice(4)] : [parts.slice(0, 2), parts.slice(2)]
    const repository = this.repositories[id.join("/")]
    if (repository === undefined) return exchange.end(404, {}, "Repository not found")
    if (repository.token !== undefined && authorization !== `Bearer ${repository.token}`) {
      return exchange.end(401, { "x-error-code": "GatedRepo" })
    }
    const commit = commitOf(repository)
    const [verb, revision, ...path] = rest
    if (verb !== undefined && revision !== "main" && revision !== commit) return exchange.end(404)
    if (verb === "tree") return this.#list(repository, path.join("/"), exchange)
    if (verb === "resolve") return await this.#resolve(id.join("/"), repository, path.join("/"), exchange)
    exchange.json({
      id: id.join("/"),
      sha: commit,
      ...(repository.license && { cardData: { license: repository.license } }),
    })
  }

  #list(repository: HubRepository, folder: string, exchange: Exchange): void {
    const prefix = folder === "" ? "" : `${folder}/`
    const paths = Object.keys(repository.files).filter((path) => path.startsWith(prefix))
    if (paths.length === 0) return exchange.end(404)
    const start = Number(exchange.url.searchParams.get("cursor") ?? 0)
    const page = paths.slice(start, start + PAGE).map((path) => {
      const content = bytesOf(repository.files[path] ?? "")
      const size = content.length
      const oid = createHash("sha1").update(`blob ${size}\0`).update(content).digest("hex")
      const sum = repository.wrongSums?.includes(path) ? "f".repeat(64) : sha256(content)
      const lfs = size < LARGE_BYTES ? {} : { lfs: { oid: sum, size, pointerSize: 134 } }
      return { type: "file", path, size, oid, ...lfs }
    })
    const next = new URL(exchange.url)
    next.searchParams.set("cursor", String(start + PAGE))
    exchange.json(page, start + PAGE < paths.length ? { link: `<${next.href}>; rel="next"` } : {})
  }

  async #resolve(id: string, repository: HubRepository, path: string, exchange: Exchange): Promise<void> {
    const given = repository.files[path]
    if (given === undefined) return exchange.end(404)
    const content = bytesOf(given)
    if (content.length < LARGE_BYTES) return await exchange.file(content, `"${sha256(content)}"`)
    const location = `${this.storage.url}/${id}/${path}?signature=${++this.#signatures}`
    const linked = repository.wrongSums?.includes(path) ? {} : { "x-linked-etag": `"${sha256(content)}"` }
    exchange.end(302, { location, ...linked, "x-repo-commit": commitOf(repository) })
  }

  async #download(exchange: Exchange): Promise<void> {
    const { pathname, searchParams } = exchange.url
    const signature = searchParams.get("signature") ?? ""
    const uses = (this.#uses.get(signature) ?? 0) + 1
    this.#uses.set(signature, uses)
    if (uses > this.signatureUses) return exchange.end(403, {}, "Request has expired")
    const [namespace, model, ...path] = decodeURIComponent(pathname).split("/").slice(1)
    const given = this.repositories[`${namespace}/${model}`]?.files[path.join("/")]
    if (given === undefined) return exchange.end(404)
    const content = bytesOf(given)
    await exchange.file(content, `"${sha256(content)}"`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api[Symbol.asyncDispose]()
    await this.storage[Symbol.asyncDispose]()
  }
}

function commitOf({ files }: HubRepository): string {
  const hash = createHash("sha1")
  for (const [path, content] of Object.entries(files)) hash.update(path).update(sha256(bytesOf(content)))
  return hash.digest("hex")
}

function bytesOf(content: Uint8Array | string): Uint8Array {
  return typeof content === "string" ? new TextEncoder().encode(content) : content
}

const sums = new WeakMap<Uint8Array, string>()

/** Cached for large contents, which are requested repeatedly. */
export function sha256(content: Uint8Array): string {
  const known = sums.get(content) ?? createHash("sha256").update(content).digest("hex")
  sums.set(content, known)
  return known
}
