import type { Digest } from "../../managed/manifest"
import { drop, type HttpClient, type HttpResponse } from "./http-client"

/** A downloadable file, as declared by its source. */
export interface RemoteFile {
  /** For messages: a name inside a repository, or the short digest after `pulling`. */
  readonly label: string
  /** The same for every attempt: `hf.co/org/model/file.gguf`. */
  readonly reference: string
  readonly url: string
  readonly sizeBytes: number | undefined
  readonly digest: Digest | undefined
  /** The server's identifier of this version, where requested. */
  readonly etag?: string | undefined
  /** Git's object id of the content, hex; for small files without a declared SHA-256. */
  readonly gitOid?: string
  readonly access: Access
}

/** A source's authentication. */
export interface Access {
  /**
   * The value of `Authorization`.
   * @param refusal the answer that refused the previous attempt; absent for the first one
   * @throws NotAuthorized where there is no (further) way to authenticate
   */
  authorization(refusal: HttpResponse | undefined, signal: AbortSignal): Promise<string | undefined>
}

/** Statuses of a signed URL that has expired. */
const EXPIRED: ReadonlySet<number> = new Set([400, 401, 403, 404, 410])

/**
 * Requests ranges of one file. Where the source redirects to a signed URL, that is used from then on, and renewed
 * when it expires.
 */
export class RemoteReader {
  readonly #file: RemoteFile
  readonly #client: HttpClient
  /** Target of the last redirect. */
  #direct: string | undefined
  /** How often a signed URL was renewed. */
  renewals = 0

  constructor(file: RemoteFile, client: HttpClient) {
    this.#file = file
    this.#client = client
  }

  /** Requests the bytes from `start` up to before `end`; `undefined` without a range. */
  async open(
    range: { readonly start: number; readonly end: number } | undefined,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    const headers = range === undefined ? {} : { range: rangeHeader(range) }
    const direct = this.#direct
    if (direct !== undefined) {
      const answer = await this.#client.open({ url: direct, headers, signal })
      if (!EXPIRED.has(answer.response.status)) return answer
      await drop(answer)
      // Another part may have renewed it in the meantime.
      if (this.#direct === direct) {
        this.#direct = undefined
        this.renewals++
      }
    }
    return await this.#openFromSource(headers, signal)
  }

  async #openFromSource(
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    const { url, access } = this.#file
    const answer = await requestWithAccess(this.#client, { url, headers, access, signal })
    if (answer.isRedirected && answer.response.ok) this.#direct = answer.url
    return answer
  }
}

export interface AccessQuestion {
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly access: Access
  readonly signal: AbortSignal
}

/** Sends a request, and once more with a fresh authorization where the first is refused. */
export async function requestWithAccess(
  client: HttpClient,
  { url, headers = {}, access, signal }: AccessQuestion,
): Promise<HttpResponse> {
  const authorization = await access.authorization(undefined, signal)
  const answer = await client.open({ url, headers, authorization, signal })
  if (answer.response.status !== 401 || answer.isRedirected) return answer
  await drop(answer)
  const fresh = await access.authorization(answer, signal)
  return await client.open({ url, headers, authorization: fresh, signal })
}

function rangeHeader({ start, end }: { readonly start: number; readonly end: number }): string {
  return `bytes=${start}-${end === Infinity ? "" : end - 1}`
}

/** Parses `bytes 0-99/1000`; the total is `undefined` for `*`. */
export function parseContentRange(
  header: string | null,
): { readonly start: number; readonly end: number; readonly total: number | undefined } | undefined {
  const [, first, last, total] =
    /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(header?.trim() ?? "") ?? []
  if (first === undefined || last === undefined) return undefined
  return { start: Number(first), end: Number(last) + 1, total: total === "*" ? undefined : Number(total) }
}
