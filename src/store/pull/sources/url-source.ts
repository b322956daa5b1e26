import { InvalidRequest } from "../../../errors/request"
import { DownloadFailed, NotAuthorized } from "../../../errors/store"
import { parseSplitName, siblingName } from "../../../formats/gguf/split"
import { DEFAULT_TAG, HUGGING_FACE_HOST, type ModelName, OLLAMA_HOST } from "../../names"
import type { PullPlan } from "../plan"
import { persist, refuseTemporary } from "../transfer/attempts"
import { NO_ACCESS } from "../transfer/fetch-text"
import { drop } from "../transfer/http-client"
import { parseContentRange, type RemoteFile } from "../transfer/remote-file"
import { isLoopbackHost, type SourceContext } from "../transfer/source-context"

const HUB_HOSTS = new Set(["huggingface.co", "www.huggingface.co", "hf.co"])

/** Is this a file's URL rather than a model's name? */
export function isUrl(text: string): boolean {
  return /^https?:\/\//i.test(text)
}

/** Decodes a part of the URL `text`. @throws InvalidRequest */
function decoded(part: string, text: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new InvalidRequest(
      `'${text}' is not a valid URL: '${part}' has a % without two hexadecimal digits, or bytes that are not UTF-8`,
      "model",
    )
  }
}

/**
 * The model name for the URL of a file on Hugging Face; `undefined` for any other URL.
 * @throws InvalidRequest for a URL that cannot be decoded
 */
export function hubNameOfUrl(text: string): ModelName | undefined {
  const url = URL.parse(text)
  if (url === null || !HUB_HOSTS.has(url.host)) return undefined
  const [namespace, model, kind, revision, ...path] = url.pathname
    .split("/")
    .slice(1)
    .map((part) => decoded(part, text))
  if (namespace === undefined || model === undefined || model === "") return undefined
  const place = { host: HUGGING_FACE_HOST, namespace, model }
  if (kind === undefined || kind === "") return { ...place, tag: DEFAULT_TAG }
  const isFile = (kind === "resolve" || kind === "blob") && revision === "main" && path.length > 0
  return isFile ? { ...place, tag: path.at(-1) ?? "" } : undefined
}

/** The file at a URL. @throws InvalidRequest for a URL of something else, or one that may not be used */
export function fileOfUrl(
  text: string,
  isInsecure: boolean,
): { readonly url: URL; readonly fileName: string } {
  const url = URL.parse(text)
  const fileName = url === null ? "" : decoded(url.pathname.slice(url.pathname.lastIndexOf("/") + 1), text)
  if (url === null || !/\.gguf$/i.test(fileName)) {
    throw new InvalidRequest(`'${text}' is not the URL of a GGUF file`, "model")
  }
  if (url.protocol === "http:" && !isInsecure && !isLoopbackHost(url.hostname)) {
    throw new InvalidRequest(`'${text}' is fetched over plain HTTP only with --insecure`, "model")
  }
  if (url.username !== "" || url.password !== "") {
    throw new InvalidRequest(
      "a URL with a password is not accepted: it would be stored as the model's source",
      "model",
    )
  }
  return { url, fileName }
}

/**
 * The plan for the GGUF file, or all parts of a split one, at a URL. The model is named after the file.
 * @throws InvalidRequest for a URL of something else; DownloadFailed, NotAuthorized
 */
export async function planUrlPull(text: string, context: SourceContext): Promise<PullPlan> {
  const { url, fileName } = fileOfUrl(text, context.isInsecure)
  const split = parseSplitName(fileName)
  const fileNames =
    split === undefined
      ? [fileName]
      : Array.from({ length: split.parts }, (_, index) => siblingName(fileName, index + 1))
  const remotes = await Promise.all(
    fileNames.map((each) => describeFile(new URL(each, url).href, each, context)),
  )
  // The server's identifiers of these versions: the only ones available.
  const revision = remotes
    .map(({ etag }) => etag ?? "")
    .join(" ")
    .trim()
  return {
    name: nameOfFile(split?.stem ?? fileName.replace(/\.gguf$/i, "")),
    source: { type: "url", reference: url.href, ...(revision !== "" && { revision }) },
    files: remotes.map((remote) => ({ name: remote.label, role: "model", remote })),
    declared: { parameters: {} },
    notes: [],
  }
}

/** Characters that are invalid in names become hyphens. */
function nameOfFile(stem: string): ModelName {
  const model = stem
    .replace(/[^A-Za-z0-9_.+-]/g, "-")
    .replace(/\.{2,}/g, ".")
    .replace(/^[^A-Za-z0-9_]+/, "")
    .slice(0, 80)
  return { host: OLLAMA_HOST, namespace: "library", model: model || "model", tag: DEFAULT_TAG }
}

/** Nothing is declared about the file, so its size and version are requested first. */
export async function describeFile(url: string, label: string, context: SourceContext): Promise<RemoteFile> {
  const { client, patience, signal } = context
  const attempt = async () => {
    const answer = await client.open({ url, headers: { range: "bytes=0-0" }, signal })
    await refuseTemporary(answer)
    const { status, headers } = answer.response
    await drop(answer)
    if (status === 401 || status === 403)
      throw new NotAuthorized(label, `${new URL(url).host} answered ${status}`)
    if (status !== 200 && status !== 206) {
      throw new DownloadFailed(label, `${new URL(url).host} answered ${status}`)
    }
    const length = status === 200 ? headers.get("content-length") : null
    const total = parseContentRange(headers.get("content-range"))?.total
    const sizeBytes = total ?? (length === null ? undefined : Number(length))
    const etag = headers.get("etag") ?? undefined
    return { label, reference: url, url, sizeBytes, etag, digest: undefined, access: NO_ACCESS }
  }
  return await persist(attempt, { label, patience, signal })
}
