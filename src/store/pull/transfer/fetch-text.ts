import { ChecksumMismatch, DownloadFailed, NotAuthorized } from "../../../errors/store"
import { findExcess } from "../../../lib/json-shape"
import { JSON_SHAPE } from "../../../limits"
import { persist, refuseTemporary } from "./attempts"
import { drop, type HttpResponse } from "./http-client"
import { type Access, requestWithAccess, type RemoteFile } from "./remote-file"
import type { SourceContext } from "./source-context"

export interface TextQuestion {
  readonly url: string
  /** For messages. */
  readonly label: string
  readonly headers?: Readonly<Record<string, string>>
  readonly access: Access
}

/** An answer that is not a model's file: a listing, a manifest, a licence. */
export interface TextAnswer {
  readonly text: string
  readonly headers: Headers
}

export const NO_ACCESS: Access = { authorization: () => Promise.resolve(undefined) }

/**
 * Fetches a URL; `undefined` where there is nothing.
 * @throws NotAuthorized, DownloadFailed
 */
export async function fetchBytes(
  question: TextQuestion,
  { client, patience, signal }: SourceContext,
): Promise<{ readonly bytes: Uint8Array; readonly headers: Headers } | undefined> {
  const { label } = question
  const attempt = async () => {
    const answer = await requestWithAccess(client, { ...question, signal })
    await refuseTemporary(answer)
    const { status, headers } = answer.response
    if (status === 200) return { bytes: await client.bytes(answer), headers }
    await drop(answer)
    if (status === 404) return undefined
    throw refusalOf(answer, label)
  }
  return await persist(attempt, { label, patience, signal })
}

/** The same as text. */
export async function fetchText(
  question: TextQuestion,
  context: SourceContext,
): Promise<TextAnswer | undefined> {
  const answer = await fetchBytes(question, context)
  return answer && { text: new TextDecoder().decode(answer.bytes), headers: answer.headers }
}

/** The same as JSON. @throws DownloadFailed for invalid JSON as well */
export async function fetchJson(
  question: TextQuestion,
  context: SourceContext,
): Promise<{ readonly value: unknown; readonly headers: Headers; readonly text: string } | undefined> {
  const answer = await fetchBytes(question, context)
  if (answer === undefined) return undefined
  const { bytes, headers } = answer
  if ((await findExcess(bytes, JSON_SHAPE)) !== undefined)
    throw new DownloadFailed(
      question.label,
      `${new URL(question.url).host} sent a response that is too large`,
    )
  const text = new TextDecoder().decode(bytes)
  try {
    return { text, headers, value: JSON.parse(text) }
  } catch (error) {
    throw new DownloadFailed(question.label, `${new URL(question.url).host} does not answer with JSON`, error)
  }
}

/** A small file's text, verified against its declared digest. */
export async function fetchSmallFile(file: RemoteFile, context: SourceContext): Promise<string> {
  const answer = await fetchText(file, context)
  if (answer === undefined) throw new DownloadFailed(file.label, "it is not there")
  const actual = new Bun.CryptoHasher("sha256").update(answer.text).digest("hex")
  if (file.digest !== undefined && file.digest !== `sha256:${actual}`) {
    throw new ChecksumMismatch(file.label, file.digest, `sha256:${actual}`)
  }
  return answer.text
}

export function refusalOf({ response, url }: HttpResponse, label: string): DownloadFailed | NotAuthorized {
  const reason = `${new URL(url).host} answered ${response.status}`
  if (response.status === 401 || response.status === 403) return new NotAuthorized(label, reason)
  return new DownloadFailed(label, reason)
}
