import { constants, copyFile, link, mkdir } from "node:fs/promises"
import { dirname, join } from "node:path"
import { CannotConvert } from "../../errors/convert"
import type { Store } from "../contract"
import { DEFAULT_TAG, formatModelName, HUGGING_FACE_HOST, parseModelName } from "../names"
import type { Digest, ManifestFile } from "../managed/manifest"
import { chooseCheckpoint } from "./choose/checkpoint-files"
import { fileName, NoChoice } from "./choose/repository"
import type { PullPlan } from "./plan"
import { findRevision, remoteFile } from "./sources/huggingface"
import type { SourceContext } from "./transfer/source-context"

/** A repository on Hugging Face, at a branch, a tag or a commit. */
export interface SnapshotReference {
  /** `owner/name` */
  readonly repository: string
  readonly revision: string
}

const MAIN = "main"

/**
 * Reads `hf:owner/name`, with `@revision` behind it or without; `undefined` for anything else.
 * @throws InvalidModelName
 */
export function parseSnapshot(text: string): SnapshotReference | undefined {
  const [, name, revision = MAIN] =
    /^(?:hf:|(?:https:\/\/)?(?:hf\.co|huggingface\.co)\/)([^@]*)(?:@(.+))?$/.exec(text) ?? []
  if (name === undefined) return undefined
  const { namespace, model } = parseModelName(`hf:${name}`)
  return { repository: `${namespace}/${model}`, revision }
}

/**
 * The files of a repository that a conversion needs.
 * @throws ModelNotFound, NotAuthorized, DownloadFailed; CannotConvert where it has no weights that can be read
 */
export async function planSnapshot(
  { repository: id, revision }: SnapshotReference,
  context: SourceContext,
): Promise<PullPlan & { readonly revision: string }> {
  const [namespace = "", model = ""] = id.split("/")
  const name = { host: HUGGING_FACE_HOST, namespace, model, tag: DEFAULT_TAG }
  const repository = await findRevision(name, revision, context)
  const label = `hf:${id}`
  try {
    const files = chooseCheckpoint(repository.files).map((file) => ({
      name: file.path,
      role: "file" as const,
      isDocument: fileName(file.path) === "README.md",
      remote: remoteFile(repository, { name: file.path, file }, label, context),
    }))
    return {
      name,
      source: { type: "huggingface", reference: formatModelName(name), revision: repository.revision },
      revision: repository.revision,
      files,
      declared: { parameters: {} },
      notes: [],
    }
  } catch (error) {
    throw error instanceof NoChoice ? new CannotConvert(label, error.message) : error
  }
}

/** Files of a repository in a folder like that of the hub's own cache, until they are disposed of. */
export class Snapshot implements AsyncDisposable {
  /** The folder. */
  readonly path: string
  /** `owner/name` */
  readonly repository: string
  readonly #store: Store
  readonly #digests: readonly Digest[]
  readonly #scope: AsyncDisposable

  private constructor(
    path: string,
    repository: string,
    store: Store,
    digests: readonly Digest[],
    scope: AsyncDisposable,
  ) {
    this.path = path
    this.repository = repository
    this.#store = store
    this.#digests = digests
    this.#scope = scope
  }

  /** Of files that are among the blobs. */
  static async open(
    store: Store,
    { name, revision }: Awaited<ReturnType<typeof planSnapshot>>,
    files: readonly ManifestFile[],
  ): Promise<Snapshot> {
    await using scope = new AsyncDisposableStack()
    const workspace = scope.use(await store.blobs.openWorkspace())
    const root = join(workspace.path, `models--${name.namespace}--${name.model}`, "snapshots", revision)
    for (const file of files) {
      const path = join(root, file.name)
      await mkdir(dirname(path), { recursive: true })
      const blob = store.blobs.pathOf(file.digest)
      // Where the file system has no links.
      await link(blob, path).catch(() => copyFile(blob, path, constants.COPYFILE_FICLONE))
    }
    const digests = files.map(({ digest }) => digest)
    return new Snapshot(root, `${name.namespace}/${name.model}`, store, digests, scope.move())
  }

  /** Frees what was downloaded, which is not needed any more; otherwise it is there for the next attempt. */
  async forget(): Promise<void> {
    await this.#store.abandon(this.#digests)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope[Symbol.asyncDispose]()
  }
}
