import type { Settings } from "../../config/resolve"
import { UsageError } from "../../errors/cli"
import type { Snapshot } from "../../store/pull/snapshot"
import { pullProgress } from "../pull/pull-progress"
import { createPuller } from "../pull/puller"
import type { Io } from "../terminal/io"
import { formatBytes, printable, toJson } from "../terminal/output"

interface SnapshotTask {
  readonly settings: Settings
  readonly io: Io
  readonly signal: AbortSignal
  readonly dryRun: boolean
  readonly wantsJson: boolean
}

/** Downloads what converting `hf:owner/name[@revision]` needs; for a dry run, says what that would be. */
export async function fetchSnapshot(source: string, task: SnapshotTask): Promise<Snapshot | undefined> {
  const { settings, io, signal } = task
  const { parseSnapshot } = await import("../../store/pull/snapshot")
  const reference = parseSnapshot(source)
  if (reference === undefined) throw new UsageError(`'${source}' is not a model on Hugging Face`)
  const puller = await createPuller(settings)
  const plan = await puller.planSnapshot(reference, signal)
  const { files, revision } = plan
  if (task.dryRun) {
    const bytes = files.reduce((sum, { remote }) => sum + (remote.sizeBytes ?? 0), 0)
    const { repository } = reference
    io.write(
      task.wantsJson
        ? toJson({ repository, revision, files: files.map(({ name }) => name), bytes })
        : `would download ${files.length} files of ${printable(repository)} at ${revision}, ${formatBytes(bytes)}; ` +
            "what becomes of them is known after that\n",
    )
    return undefined
  }
  const progress = pullProgress(io)
  try {
    return await puller.snapshot(plan, { signal, onEvent: (event) => progress.show(event) })
  } finally {
    progress.end()
  }
}
