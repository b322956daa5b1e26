import { Semaphore } from "../../lib/async/semaphore"
import type { Store } from "../contract"
import type { Manifest, ManifestFile } from "../managed/manifest"
import { parseModelName } from "../names"
import { fileName, type RepositoryFile } from "./choose/repository"
import { findRepository } from "./sources/huggingface"
import { findRegistryModel } from "./sources/ollama-registry"
import { planUrlPull } from "./sources/url-source"
import type { SourceContext } from "./transfer/source-context"

/** Whether a model's source has a newer version. `unknown`: the source did not answer, or not in time. */
export type UpdateState = "available" | "current" | "unknown"

/** Sources queried in parallel. */
const AT_ONCE = 16

/**
 * Queries the sources of models in parallel; models without a source are left out. Those that have not answered
 * when the signal of `context` aborts count as unknown.
 */
export async function checkUpdates(
  names: readonly string[],
  store: Store,
  context: SourceContext,
): Promise<ReadonlyMap<string, UpdateState>> {
  const places = new Semaphore(AT_ONCE)
  const found = new Map<string, UpdateState>()
  const checks = names.map(async (name) => {
    const manifest = await store.manifest(name).catch(() => undefined)
    const check = manifest && checkOf(manifest, store, context)
    if (check === undefined) return
    try {
      using _place = await places.acquire(context.signal)
      found.set(name, (await check()) ? "current" : "available")
    } catch {
      found.set(name, "unknown")
    }
  })
  await Promise.all(checks)
  return found
}

/** A check of the model's source; undefined where it has none. */
function checkOf(
  manifest: Manifest,
  store: Store,
  context: SourceContext,
): (() => Promise<boolean>) | undefined {
  const { source } = manifest
  switch (source?.type) {
    case "ollama":
      return async () => {
        const { revision } = await findRegistryModel(parseModelName(source.reference), context)
        return revision === source.revision
      }
    case "huggingface":
      return async () => {
        const repository = await findRepository(parseModelName(source.reference), context)
        if (repository.revision === source.revision) return true
        // A new commit may concern other files.
        const same = manifest.files.map((file) => isSame(file, repository.files, store))
        return (await Promise.all(same)).every((isIt) => isIt)
      }
    case "url":
      // A server without version identifiers cannot tell newer ones.
      if (source.revision === undefined) return () => Promise.reject(new Error("no version is known"))
      return async () => (await planUrlPull(source.reference, context)).source.revision === source.revision
    default:
      return undefined
  }
}

async function isSame(file: ManifestFile, files: readonly RepositoryFile[], store: Store): Promise<boolean> {
  const named = files.filter(({ path }) => path === file.name || fileName(path) === fileName(file.name))
  for (const { digest, gitOid } of named) {
    if (digest === file.digest) return true
    if (digest === undefined && gitOid === (await gitOidOf(store.blobs.pathOf(file.digest)))) return true
  }
  return false
}

/** Git's object id of a small file. */
async function gitOidOf(path: string): Promise<string> {
  const bytes = await Bun.file(path).bytes()
  return new Bun.CryptoHasher("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex")
}
