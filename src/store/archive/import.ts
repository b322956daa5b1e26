import type { ModelSummary } from "../../domain/model"
import { reasonOf } from "../../errors/base"
import { InvalidArchive, InvalidManifest } from "../../errors/store"
import type { Store } from "../contract"
import type { Digest, Manifest } from "../managed/manifest"
import { type ModelName, parseModelName } from "../names"
import { refuseOther, replacing } from "../replacing"
import type { ArchiveDescription } from "./layout"
import { unpackArchive } from "./unpack"

export interface ImportOptions {
  readonly store: Store
  /** Its name in messages. */
  readonly archive: string
  readonly bytes: AsyncIterable<Uint8Array>
  /** Absent: the name in the archive. */
  readonly name?: ModelName
  /** Whether to replace another model of that name. */
  readonly replace: boolean
  /** Called with the number of bytes of the archive read so far. */
  onProgress(bytes: number): void
  readonly signal: AbortSignal
}

/**
 * Installs the model in an archive from {@link exportModel}. Everything is verified before anything is installed.
 * @throws InvalidArchive, DiskFull, FileFailed, ModelExists, Cancelled, StoreBusy
 */
export async function importArchive(options: ImportOptions): Promise<ModelSummary> {
  const added: Digest[] = []
  try {
    return await unpackInto(options, added)
  } catch (error) {
    await options.store.abandon(added)
    throw options.store.explain(error)
  }
}

/** @param added collects the digests of the added blobs */
async function unpackInto(options: ImportOptions, added: Digest[]): Promise<ModelSummary> {
  const { store, archive } = options
  const { checkManifest } = await import("../managed/manifest-schema")
  const read = ({ manifest }: ArchiveDescription): Manifest => {
    try {
      return checkManifest(manifest)
    } catch (error) {
      if (error instanceof InvalidManifest) throw new InvalidArchive(archive, error.message)
      throw error
    }
  }
  await using workspace = await store.blobs.openWorkspace()
  const { description, blobs } = await unpackArchive({
    ...options,
    folder: workspace.path,
    // Checked before the large part is read, so that a taken name is reported at once.
    accept: async (description) => {
      const manifest = read(description)
      if (!options.replace) await refuseOther(store, nameFor(description, options), manifest)
      return sizesOf(manifest, archive)
    },
  })
  const manifest = read(description)
  const digests = [...blobs.keys()].map((hex): Digest => `sha256:${hex}`)
  await using _held = await store.blobs.hold(digests)
  for (const [hex, { path }] of blobs) {
    const { digest } = await store.blobs.addFile(path, { move: true, digest: `sha256:${hex}` })
    added.push(digest)
  }
  return await store.install(nameFor(description, options), manifest, replacing(options.replace))
}

function nameFor({ name: written }: ArchiveDescription, { name, archive }: ImportOptions): ModelName {
  if (name !== undefined) return name
  try {
    return parseModelName(written)
  } catch (error) {
    throw new InvalidArchive(archive, `${reasonOf(error)}; choose another name with --name`)
  }
}

/** Keyed by digest in hex. @throws InvalidArchive where one file has two sizes */
function sizesOf({ files }: Manifest, archive: string): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>()
  for (const { digest, sizeBytes } of files) {
    const hex = digest.slice("sha256:".length)
    if ((sizes.get(hex) ?? sizeBytes) !== sizeBytes) {
      throw new InvalidArchive(archive, `the manifest gives ${digest} two sizes`)
    }
    sizes.set(hex, sizeBytes)
  }
  return sizes
}
