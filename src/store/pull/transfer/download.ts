import { dirname } from "node:path"
import { Cancelled } from "../../../errors/request"
import { ChecksumMismatch, DiskFull, DownloadFailed, NotAuthorized } from "../../../errors/store"
import type { Semaphore } from "../../../lib/async/semaphore"
import { isDiskFull } from "../../../lib/system/disk-full"
import { formatSeconds } from "../../../lib/text/duration"
import { type AttemptOptions, persist, refuseTemporary, Temporary } from "./attempts"
import { drop, type HttpClient, type HttpResponse } from "./http-client"
import type { PartialFile, Segment } from "./partial-file"
import { type ContentNames, PrefixHash } from "./prefix-hash"
import { readAhead } from "./read-ahead"
import { parseContentRange, type RemoteFile, RemoteReader } from "./remote-file"
import type { Patience } from "./retry"

export interface DownloadOptions {
  readonly client: HttpClient
  /** One permit per connection, shared with other files. */
  readonly connections: Semaphore
  /** Maximum connections for one file. */
  readonly mostConnections: number
  readonly patience: Patience
  readonly signal: AbortSignal
  /** Called when more of the file is present. */
  readonly onProgress: (completedBytes: number) => void
  /**
   * Called once, when enough of the file's start is present to identify it; an error thrown here ends the download.
   */
  readonly inspect?: ((path: string, prefixBytes: number) => void) | undefined
  /** Called with information for the user. */
  readonly onNote: (text: string) => void
}

/** The file at the source is no longer the one that the download began with. */
export class SourceChanged extends Error {}

/** Headers of models are shorter: vocabularies of 260,000 tokens take about 15 MB. */
const INSPECTED_BYTES = 20 * 1024 ** 2
const SMALLEST_PART = 64 * 1024

/** The server sent the whole file instead of a range, while other connections fetch other parts. */
class RangeIgnored extends Error {}

/** State shared between the connections. */
interface Others {
  readonly signal: AbortSignal
  startOthers(): void
  isAlone(): boolean
}

/**
 * Fetches the missing parts of a file in parallel and in order, and hashes it meanwhile. `partial` stays open and
 * keeps the received data, whatever happens.
 * @throws SourceChanged, DownloadFailed, NotAuthorized, DiskFull, Cancelled; ChecksumMismatch where the content
 * does not match its digest
 */
export async function download(
  file: RemoteFile,
  partial: PartialFile,
  options: DownloadOptions,
): Promise<ContentNames & { readonly sizeBytes: number }> {
  return await new Download(file, partial, options).run()
}

class Download {
  readonly #file: RemoteFile
  readonly #partial: PartialFile
  readonly #options: DownloadOptions
  readonly #reader: RemoteReader
  readonly #hash: PrefixHash
  /** Known once a stream without a length has ended. */
  #foundSize: number | undefined
  #isInspected = false
  /** The server does not support ranges. */
  #isWhole = false
  /**
   * Maximum bytes per request. Reduced where connections break before any data arrives: smaller parts may get
   * through, and the data a breaking connection still holds is lost.
   */
  #largestPart = Infinity

  constructor(file: RemoteFile, partial: PartialFile, options: DownloadOptions) {
    this.#file = file
    this.#partial = partial
    this.#options = options
    this.#reader = new RemoteReader(file, options.client)
    this.#hash = new PrefixHash(partial.file, partial.sizeBytes)
  }

  async run(): Promise<ContentNames & { readonly sizeBytes: number }> {
    this.#report()
    try {
      await this.#fetch()
      await this.#partial.sync()
    } catch (error) {
      throw this.#asFailure(error)
    }
    const sizeBytes = this.#foundSize ?? this.#partial.sizeBytes ?? 0
    const names = await this.#hash.finish(sizeBytes)
    this.#checkContent(names)
    return { ...names, sizeBytes }
  }

  async #fetch(): Promise<void> {
    if (this.#isComplete()) return
    try {
      await this.#fetchParts()
    } catch (error) {
      if (!(error instanceof RangeIgnored)) throw error
      this.#isWhole = true
      await persist(() => this.#fetchWhole(), this.#attempts(this.#options.signal))
    }
  }

  #isComplete(): boolean {
    return this.#foundSize !== undefined || this.#partial.isComplete
  }

  /** The first connection finds out whether the server supports ranges; others follow if it does. */
  async #fetchParts(): Promise<void> {
    const stop = new AbortController()
    const signal = AbortSignal.any([this.#options.signal, stop.signal])
    const waiting = [...this.#partial.segments]
    const work = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const segment = next
        const others = { signal, startOthers, isAlone }
        while (!this.#isDone(segment)) {
          await persist(() => this.#fetchPart(segment, others), this.#attempts(signal, segment))
        }
      }
    }
    const workers: Promise<void>[] = []
    const isAlone = () => workers.length === 1
    // The first failure ends all; the others end with its reason.
    const start = () => workers.push(work().catch((error: unknown) => stop.abort(error)))
    const startOthers = () => {
      while (workers.length < Math.min(this.#options.mostConnections, waiting.length + 1)) start()
    }
    start()
    // More are added while these are awaited.
    for (let index = 0; index < workers.length; index++) await workers[index]
    if (stop.signal.aborted) throw stop.signal.reason
  }

  #attempts(signal: AbortSignal, segment?: Segment): AttemptOptions {
    return {
      label: this.#file.label,
      patience: this.#options.patience,
      signal,
      progress: () => (this.#isWhole ? undefined : segment?.written) ?? this.#partial.writtenBytes,
      onFruitless: () => segment !== undefined && this.#requestLess(segment),
    }
  }

  #isDone({ start, end, written }: Segment): boolean {
    return start + written === end || this.#foundSize !== undefined
  }

  #requestLess({ start, end, written }: Segment): void {
    const requested = Math.min(this.#largestPart, end - start - written)
    if (requested !== Infinity) this.#largestPart = Math.max(SMALLEST_PART, Math.ceil(requested / 4))
  }

  async #fetchPart(segment: Segment, { signal, startOthers, isAlone }: Others): Promise<void> {
    if (this.#isWhole) return await this.#fetchWhole()
    using _place = await this.#options.connections.acquire(signal)
    const start = segment.start + segment.written
    const connection = new AbortController()
    const end = Math.min(segment.end, start + this.#largestPart)
    const answer = await this.#reader.open({ start, end }, AbortSignal.any([signal, connection.signal]))
    const { response } = answer
    try {
      await this.#checkVersion(answer)
      if (response.status === 200) {
        if (!isAlone()) throw new RangeIgnored("the server gives no parts")
        this.#isWhole = true
        return await this.#takeWhole(response, connection)
      }
      if (response.status === 416 && segment.end === Infinity && start > 0) {
        return this.#endAt(start, response.headers.get("content-range"))
      }
      await this.#checkStatus(answer, 206)
      this.#checkRange(response, start, end)
      startOthers()
      for await (const bytes of this.#chunks(response, connection)) {
        const room = end - segment.start - segment.written
        await this.#append(segment, bytes.length > room ? bytes.subarray(0, room) : bytes)
        if (bytes.length >= room) break
      }
    } finally {
      connection.abort()
    }
    if (segment.end === Infinity) this.#foundSize = segment.written
    else if (segment.start + segment.written < end) throw new Temporary("the answer ended too early")
    this.#largestPart *= 2
  }

  /** For a server without ranges: starts over, without writing what is present. */
  async #fetchWhole(): Promise<void> {
    using _place = await this.#options.connections.acquire(this.#options.signal)
    const connection = new AbortController()
    const answer = await this.#reader.open(
      undefined,
      AbortSignal.any([this.#options.signal, connection.signal]),
    )
    try {
      await this.#checkVersion(answer)
      await this.#checkStatus(answer, 200)
      await this.#takeWhole(answer.response, connection)
    } finally {
      connection.abort()
    }
  }

  async #takeWhole(response: Response, connection: AbortController): Promise<void> {
    this.#checkLength(response)
    let position = 0
    const { segments } = this.#partial
    let index = 0
    for await (const bytes of this.#chunks(response, connection)) {
      for (let rest = bytes; rest.length > 0;) {
        const segment = segments[index]
        if (segment === undefined) throw new SourceChanged("it is longer than declared")
        const part = rest.subarray(0, segment.end - position)
        const known = segment.start + segment.written - position
        if (part.length > known) await this.#append(segment, part.subarray(Math.max(0, known)))
        position += part.length
        rest = rest.subarray(part.length)
        if (position === segment.end) index++
      }
    }
    const { sizeBytes } = this.#partial
    if (sizeBytes === undefined) this.#foundSize = position
    else if (position < sizeBytes) throw new Temporary("the answer ended too early")
  }

  async #append(segment: Segment, bytes: Uint8Array): Promise<void> {
    await this.#partial.append(segment, bytes)
    this.#inspect()
    this.#report()
  }

  #inspect(): void {
    const { path, prefixBytes } = this.#partial
    if (this.#isInspected || prefixBytes < INSPECTED_BYTES) return
    this.#isInspected = true
    this.#options.inspect?.(path, prefixBytes)
  }

  #report(): void {
    const { prefixBytes, sizeBytes, writtenBytes } = this.#partial
    this.#hash.advance(sizeBytes === undefined ? writtenBytes : prefixBytes)
    this.#options.onProgress(writtenBytes)
  }

  #chunks(response: Response, connection: AbortController): AsyncIterable<Uint8Array> {
    const { stallMs } = this.#options.patience
    const onStall = () => connection.abort(new Temporary(`nothing received for ${formatSeconds(stallMs)}`))
    return response.body === null ? none() : readAhead(response.body, stallMs, onStall)
  }

  async #checkStatus(answer: HttpResponse, expected: 200 | 206): Promise<void> {
    const { response, url } = answer
    const { status } = response
    if (status === expected) return
    await refuseTemporary(answer)
    await drop(answer)
    const reason = `${new URL(url).host} answered ${status}`
    if (status === 416) throw new SourceChanged("it has become shorter")
    // A signed URL created a moment ago is refused already: the clocks differ, or it expires too soon.
    if (answer.isRedirected && [401, 403, 410].includes(status)) throw new Temporary(reason)
    if (status === 401 || status === 403) throw new NotAuthorized(this.#file.label, reason)
    throw new DownloadFailed(this.#file.label, reason)
  }

  #checkRange(response: Response, start: number, end: number): void {
    const range = parseContentRange(response.headers.get("content-range"))
    if (range === undefined) throw new Temporary("the server does not say which part it sends")
    const { sizeBytes } = this.#partial
    if (range.total !== undefined && sizeBytes !== undefined && range.total !== sizeBytes) {
      throw new SourceChanged(`it has ${range.total} bytes now, not ${sizeBytes}`)
    }
    if (range.start !== start || range.end > end) {
      throw new Temporary(
        `the server sends the bytes ${range.start} to ${range.end - 1}, which were not requested`,
      )
    }
  }

  #checkLength(response: Response): void {
    const length = response.headers.get("content-length")
    const { sizeBytes } = this.#partial
    if (length !== null && sizeBytes !== undefined && Number(length) !== sizeBytes) {
      throw new SourceChanged(`it has ${length} bytes now, not ${sizeBytes}`)
    }
  }

  /** Compares the source's version of the file with the one the download began with. */
  async #checkVersion({ response, redirectHeaders }: HttpResponse): Promise<void> {
    const linked = unquoted(redirectHeaders.get("x-linked-etag") ?? null)
    const { digest } = this.#file
    if (digest !== undefined && linked !== undefined && /^[0-9a-f]{64}$/.test(linked)) {
      if (digest !== `sha256:${linked}`) throw new SourceChanged("its SHA-256 has changed")
    }
    if (response.status !== 200 && response.status !== 206) return
    const etag = response.headers.get("etag")
    if (etag === null) return
    if (this.#partial.etag === undefined) await this.#partial.setEtag(etag)
    else if (this.#partial.etag !== etag) throw new SourceChanged("its ETag has changed")
  }

  /** A range beginning at the end of the file: everything was present already. */
  #endAt(size: number, header: string | null): void {
    const total = /^bytes \*\/(\d+)$/.exec(header ?? "")?.[1]
    if (total !== undefined && Number(total) !== size) throw new SourceChanged("it has become shorter")
    this.#foundSize = size
  }

  #checkContent({ digest, gitOid }: ContentNames): void {
    const { digest: declared, gitOid: declaredOid, label } = this.#file
    if (declared !== undefined && declared !== digest) throw new ChecksumMismatch(label, declared, digest)
    if (declaredOid !== undefined && gitOid !== undefined && declaredOid !== gitOid) {
      throw new ChecksumMismatch(label, `git:${declaredOid}`, `git:${gitOid}`)
    }
  }

  #asFailure(error: unknown): unknown {
    if (this.#options.signal.aborted) return new Cancelled()
    if (isDiskFull(error)) return new DiskFull(dirname(this.#partial.path), undefined, error)
    return error
  }
}

function unquoted(etag: string | null): string | undefined {
  return etag === null ? undefined : etag.replace(/^W\//, "").replace(/^"|"$/g, "")
}

async function* none(): AsyncGenerator<never> {}
