import { Semaphore } from "../../lib/async/semaphore"
import type { Store } from "../contract"
import type { Manifest, ManifestFile } from "../managed/manifest"
import { parseModelName } from "../names"
import { fileName, type RepositoryFile } from "./choose/repository"
import { findRepository } from "./sources/huggingface"
import { findRegistryModel } from "./sources/ollama-registry"
import { planUrlPull } from "./sources/url-source"
import type { SourceContext } from "./transfer/source-context"

/** Whether a model's source has something newer. `unknown`: it could not be asked, or not in time. */
export type UpdateState = "available" | "current" | "unknown"

/** Sources asked at a time. */
const AT_ONCE = 16

/**
 * Asks where models came from, side by side; models that were not downloaded are left out. What has not answered when
 * the signal of `context` aborts counts as unknown.
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

/** Asks the model's source whether it is current; undefined where there is nobody to ask. */
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
        // A new commit may be about something else.
        const same = manifest.files.map((file) => isSame(file, repository.files, store))
        return (await Promise.all(same)).every((isIt) => isIt)
      }
    case "url":
      // A server that names no versions says nothing about newer ones.
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

/** What git calls a small file. */
async function gitOidOf(path: string): Promise<string> {
  const bytes = await Bun.file(path).bytes()
  return new Bun.CryptoHasher("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex")
}
