import { ModelNotFound } from "../../../errors/model"
import { InvalidRequest } from "../../../errors/request"
import { NotAuthorized } from "../../../errors/store"
import { numberAt, recordAt, recordsAt, textAt, toRecord } from "../../../lib/json"
import { systemMemory } from "../../../lib/system/system-memory"
import { formatModelName, type ModelName } from "../../names"
import { chooseGguf, hasGguf } from "../choose/choose-gguf"
import { chooseParts } from "../choose/choose-parts"
import { type FileChoice, folderName, isDocument, NoChoice, type RepositoryFile } from "../choose/repository"
import type { PlannedFile, PullPlan } from "../plan"
import { fetchJson, fetchText } from "../transfer/fetch-text"
import type { Access, RemoteFile } from "../transfer/remote-file"
import { endpoint, type SourceContext } from "../transfer/source-context"

/** Share of memory for a model's file: the rest is for its cache and for other programs. */
const MEMORY_SHARE = 0.75
const MAIN = "main"
/** Of 1000 files each; the largest collections have some thousands. */
const MAX_PAGES = 200
const MAX_LICENSE_BYTES = 1024 ** 2
/** How many tags an error names. */
const SHOWN_TAGS = 12

/** A repository in its current state. */
export interface Repository {
  /** `owner/name` */
  readonly id: string
  readonly files: readonly RepositoryFile[]
  /** The commit if known, otherwise the branch. */
  readonly revision: string
  /** The name of its licence, such as `apache-2.0`. */
  readonly license: string | undefined
}

/**
 * The plan for a model on Hugging Face.
 * @param revision a commit; absent or no longer present: the current one
 * @throws ModelNotFound, NotAuthorized, DownloadFailed; InvalidRequest where the name may mean several models
 */
export async function planHubPull(
  name: ModelName,
  context: SourceContext,
  revision?: string,
): Promise<PullPlan> {
  const label = formatModelName(name)
  const repository = await findRepository(name, context, revision)
  const choice = choose(repository, name)
  const files = choice.files.map((file): PlannedFile => ({
    name: file.name,
    role: file.role,
    isDocument: file.isDocument,
    remote: remoteFile(repository, file, label, context),
  }))
  const isSingle = files.every(({ role, isDocument }) => role !== "file" || isDocument)
  const licenses = await readLicenses(repository, files, context)
  return {
    name,
    source: { type: "huggingface", reference: label, revision: repository.revision },
    // A single-file model has its licence in the manifest; a folder keeps it as published.
    files: isSingle ? files.filter(({ isDocument }) => !isDocument) : files,
    declared: { parameters: {}, ...(licenses.length > 0 && { licenses }) },
    notes: choice.note === undefined ? [] : [choice.note],
  }
}

/** A file of a repository, with the name that it gets. */
export function remoteFile(
  repository: Repository,
  {
    name,
    file: { path, sizeBytes, digest, gitOid },
  }: { readonly name: string; readonly file: RepositoryFile },
  label: string,
  context: SourceContext,
): RemoteFile {
  return {
    label: name,
    reference: `${repository.id}/${path}`,
    url: fileUrl(repository, path, context),
    sizeBytes,
    digest,
    ...(gitOid !== undefined && digest === undefined && { gitOid }),
    access: hubAccess(label, context),
  }
}

/**
 * A repository at a branch, a tag or a commit.
 * @throws ModelNotFound where there is no such repository or revision; NotAuthorized, DownloadFailed
 */
export async function findRevision(
  name: ModelName,
  revision: string,
  context: SourceContext,
): Promise<Repository> {
  const id = `${name.namespace}/${name.model}`
  const label = `${formatModelName(name).replace(/:[^:]*$/, "")}@${revision}`
  const url = `${endpoint(context.settings.huggingFace)}/api/models/${id}/revision/${encodeURIComponent(revision)}`
  try {
    const info = await fetchJson({ url, label, access: hubAccess(label, context) }, context)
    const commit = textAt(toRecord(info?.value), "sha")
    if (commit === undefined) throw new ModelNotFound(label, " on Hugging Face")
    return await findRepository(name, context, commit)
  } catch (error) {
    throw error instanceof NotAuthorized ? hubRefusal(error, label, context) : error
  }
}

/** @throws ModelNotFound, NotAuthorized, DownloadFailed */
export async function findRepository(
  name: ModelName,
  context: SourceContext,
  wanted?: string,
): Promise<Repository> {
  const id = `${name.namespace}/${name.model}`
  const label = formatModelName(name)
  const base = endpoint(context.settings.huggingFace)
  const ask = (url: string) => fetchJson({ url, label, access: hubAccess(label, context) }, context)
  try {
    const info = toRecord((await ask(`${base}/api/models/${id}`))?.value)
    const commit = textAt(info, "sha")
    const license = textAt(recordAt(info, "cardData"), "license")
    const common = { id, license }
    for (const revision of [wanted, commit, MAIN].filter((each) => each !== undefined)) {
      const files = await listTree(`${base}/api/models/${id}/tree/${revision}`, name, { label, ...context })
      if (files !== undefined) return { ...common, files, revision }
    }
    const siblings = toRecord((await ask(`${base}/api/models/${id}?blobs=true`))?.value)
    if (siblings === undefined) throw new ModelNotFound(label, " on Hugging Face")
    return { ...common, files: recordsAt(siblings, "siblings").flatMap(siblingOf), revision: commit ?? MAIN }
  } catch (error) {
    throw error instanceof NotAuthorized ? hubRefusal(error, label, context) : error
  }
}

/** Collections are large, so only the folder of the requested tts model is listed. */
async function listTree(
  tree: string,
  name: ModelName,
  context: SourceContext & { readonly label: string },
): Promise<readonly RepositoryFile[] | undefined> {
  const folder = voiceFolder(name.tag)
  const inFolder = folder === undefined ? undefined : await listPages(`${tree}/${folder}`, context)
  return inFolder !== undefined && inFolder.length > 0 ? inFolder : await listPages(tree, context)
}

/** The folder of a Piper model: `en_US-joe-medium` → `en/en_US/joe/medium`. */
export function voiceFolder(tag: string): string | undefined {
  const [, language, region, voice, quality] = /^([a-z]{2,3})_([A-Z]{2})-(.+)-([a-z_]+)$/.exec(tag) ?? []
  return language === undefined ? undefined : `${language}/${language}_${region}/${voice}/${quality}`
}

async function listPages(
  url: string,
  context: SourceContext & { readonly label: string },
): Promise<readonly RepositoryFile[] | undefined> {
  const files: RepositoryFile[] = []
  const { label } = context
  let next: string | undefined = `${url}?recursive=1`
  for (let page = 0; next !== undefined && page < MAX_PAGES; page++) {
    const answer: Awaited<ReturnType<typeof fetchJson>> = await fetchJson(
      { url: next, label, access: hubAccess(label, context) },
      context,
    )
    if (answer === undefined) return undefined
    files.push(...recordsAt({ list: answer.value }, "list").flatMap(treeEntryOf))
    next = nextPage(answer.headers.get("link"), next)
  }
  return files
}

/** `<https://…?cursor=x>; rel="next"`; only on the host of the first page. */
function nextPage(link: string | null, current: string): string | undefined {
  const target = /<([^>]+)>\s*;[^,]*rel="?next"?/.exec(link ?? "")?.[1]
  const url = target === undefined ? null : URL.parse(target, current)
  return url !== null && url.origin === new URL(current).origin ? url.href : undefined
}

function treeEntryOf(entry: Readonly<Record<string, unknown>>): readonly RepositoryFile[] {
  const path = textAt(entry, "path")
  if (path === undefined || textAt(entry, "type") === "directory") return []
  const lfs = recordAt(entry, "lfs")
  return [
    fileOf(path, numberAt(lfs, "size") ?? numberAt(entry, "size"), textAt(lfs, "oid"), textAt(entry, "oid")),
  ]
}

function siblingOf(sibling: Readonly<Record<string, unknown>>): readonly RepositoryFile[] {
  const path = textAt(sibling, "rfilename")
  if (path === undefined) return []
  const lfs = recordAt(sibling, "lfs")
  const size = numberAt(lfs, "size") ?? numberAt(sibling, "size")
  return [fileOf(path, size, textAt(lfs, "sha256") ?? textAt(lfs, "oid"), textAt(sibling, "blobId"))]
}

function fileOf(
  path: string,
  size: number | undefined,
  sha256: string | undefined,
  oid: string | undefined,
): RepositoryFile {
  const isSha256 = sha256 !== undefined && /^[0-9a-f]{64}$/.test(sha256)
  return {
    path,
    sizeBytes: size ?? 0,
    digest: isSha256 ? `sha256:${sha256}` : undefined,
    // For a large file git has only a pointer.
    gitOid: !isSha256 && oid !== undefined && /^[0-9a-f]{40}$/.test(oid) ? oid : undefined,
  }
}

/** @throws InvalidRequest, ModelNotFound that name the available tags */
function choose({ files, id }: Repository, name: ModelName): FileChoice {
  const memoryBytes = systemMemory().totalBytes * MEMORY_SHARE
  try {
    return hasGguf(files) ? chooseGguf(files, name.tag, memoryBytes) : chooseParts(files, name.tag)
  } catch (error) {
    if (!(error instanceof NoChoice)) throw error
    throw refusal(error, name, id)
  }
}

function refusal({ message, tags }: NoChoice, name: ModelName, id: string): Error {
  const shown = tags.slice(0, SHOWN_TAGS).map((tag) => formatModelName({ ...name, tag }))
  const more = tags.length > shown.length ? `, and ${tags.length - shown.length} more` : ""
  const hint = shown.length === 0 ? "" : `; name one of ${shown.join(", ")}${more}`
  if (/nothing called|no complete/.test(message))
    return new ModelNotFound(formatModelName(name), `: ${message}${hint}`)
  return new InvalidRequest(`${id} is ambiguous: ${message}${hint}`, "model")
}

function fileUrl({ id, revision }: Repository, path: string, { settings }: SourceContext): string {
  const escaped = path.split("/").map(encodeURIComponent).join("/")
  return `${endpoint(settings.huggingFace)}/${id}/resolve/${revision}/${escaped}`
}

/** The user's token, if any: there is no way to get another one. */
export function hubAccess(label: string, { settings }: SourceContext): Access {
  const { huggingFaceToken: token } = settings
  return {
    async authorization(refusal) {
      if (refusal !== undefined) throw new NotAuthorized(label, "Hugging Face answered 401")
      return token === undefined ? undefined : `Bearer ${token}`
    },
  }
}

/** The hub does not distinguish missing from private repositories. */
function hubRefusal(error: NotAuthorized, label: string, { settings }: SourceContext): NotAuthorized {
  const repository = label.replace(/^hf:/, "").replace(/(?:@.*|:[^:]*)$/, "")
  const advice =
    settings.huggingFaceToken === undefined
      ? `it does not exist, or is private or gated: set HF_TOKEN to a token of an account that may read it`
      : `it does not exist, or the account of HF_TOKEN may not read it: see ${endpoint(settings.huggingFace)}/${repository}`
  return new NotAuthorized(label, advice, error)
}

/** The texts of licences, or else the licence's name. */
async function readLicenses(
  { license }: Repository,
  files: readonly PlannedFile[],
  context: SourceContext,
): Promise<readonly string[]> {
  const texts = files.filter(
    ({ name, remote }) =>
      isDocument(name) && /licen[cs]e/i.test(name) && (remote.sizeBytes ?? 0) < MAX_LICENSE_BYTES,
  )
  const atTop = texts.filter(({ name }) => folderName(name) === "")
  const found = await Promise.all(atTop.map(({ remote }) => fetchText(remote, context)))
  const licenses = found.flatMap((answer) => (answer === undefined ? [] : [answer.text]))
  return licenses.length > 0 || license === undefined ? licenses : [license]
}
