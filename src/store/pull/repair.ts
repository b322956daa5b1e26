import { rm } from "node:fs/promises"
import { Cancelled, InvalidRequest } from "../../errors/request"
import { DownloadFailed } from "../../errors/store"
import type { Occupant, Store } from "../contract"
import { type Manifest, type ManifestFile, manifestId } from "../managed/manifest"
import { parseModelName } from "../names"
import { findDamage } from "./damage"
import type { PullEvent } from "./events"
import type { FileDownloads } from "./file-downloads"
import { planAgain } from "./find-plan"
import type { SourceContext } from "./transfer/source-context"

export interface RepairParts {
  readonly store: Store
  readonly downloads: FileDownloads
  readonly context: SourceContext
  readonly onEvent: (event: PullEvent) => void
}

/**
 * Verifies the files of an installed model, and downloads the damaged ones again.
 * @returns the names of the damaged files
 * @throws ModelNotFound; InvalidRequest for a model without a source; otherwise as for a pull
 */
export async function repairModel(model: string, parts: RepairParts): Promise<readonly string[]> {
  const { store, context, onEvent } = parts
  const { signal } = context
  const { name } = await store.resolve(model)
  const manifest = await store.manifest(name)
  if (manifest === undefined) {
    throw new InvalidRequest(
      `'${name}' was put there by hand, so there are no checksums to verify it with`,
      "model",
    )
  }
  onEvent({ type: "status", status: "verifying sha256 digest" })
  try {
    const damaged = await findDamage(store, name, { isHasty: false, signal })
    for (const file of damaged) onEvent({ type: "note", text: `${file.name} is damaged` })
    if (damaged.length > 0) {
      await replaceFiles(name, manifest, damaged, parts)
    }
    onEvent({ type: "status", status: "success" })
    return damaged.map((file) => file.name)
  } catch (error) {
    throw signal.aborted ? new Cancelled() : store.explain(error)
  }
}

async function replaceFiles(
  name: string,
  manifest: Manifest,
  damaged: readonly ManifestFile[],
  { store, downloads, context, onEvent }: RepairParts,
): Promise<void> {
  const plan = await planAgain(name, manifest, context)
  const files = damaged.map((file) => {
    const same = plan.files.find(({ remote }) => remote.digest === file.digest)
    const planned =
      same ?? plan.files.find((each) => each.name === file.name && each.remote.digest === undefined)
    if (planned !== undefined) return { ...planned, remote: { ...planned.remote, digest: file.digest } }
    throw new DownloadFailed(
      file.name,
      `its source has another version now; 'xllm pull ${name}' downloads it`,
    )
  })
  await using _held = await store.blobs.hold(damaged.map(({ digest }) => digest))
  for (const { digest } of damaged) await rm(store.blobs.pathOf(digest), { force: true })
  await downloads.fetchAll({ files }, context, onEvent)
  // Assembles multi-file models again.
  const mayReplace = (occupant: Occupant) =>
    occupant !== "unreadable" && manifestId(occupant) === manifestId(manifest)
  await store.install(parseModelName(name), manifest, { mayReplace })
}
