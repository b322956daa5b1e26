import { constants } from "node:fs"
import { access, lstat, stat } from "node:fs/promises"
import type { Settings } from "../../config/resolve"
import { UsageError } from "../../errors/cli"
import { FileFailed } from "../../errors/store"
import { systemCode } from "../../lib/system/system-reason"
import type { Store } from "../../store/contract"
import type { Io } from "../terminal/io"

/**
 * The models directory for a command that only reads it: an unreadable one must not look empty. The default directory
 * may be missing and then counts as empty; any other must exist, since it was probably mistyped.
 * @throws UsageError, FileFailed
 */
export async function existingModelsFolder(settings: Settings): Promise<string> {
  const folder = settings.modelsFolder
  const { source, name } = settings.modelsFolderOrigin
  try {
    if (!(await stat(folder)).isDirectory()) {
      throw new UsageError(`the models directory ${folder} is not a folder`)
    }
    await access(folder, constants.R_OK | constants.X_OK)
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw asOurs(error, "read", folder)
    if (source !== "default") {
      throw new UsageError(
        `the models directory ${folder} (set by ${name}) does not exist; correct the path, or create it`,
      )
    }
    const isBrokenLink = await lstat(folder).then(
      () => true,
      () => false,
    )
    if (isBrokenLink) throw asOurs(error, "read", folder)
  }
  return folder
}

/** Opens the models for a command that inspects them, and reports unusable ones on stderr. */
export async function openExistingStore(
  settings: Settings,
  io: Io,
): Promise<{ store: Store; folder: string }> {
  const [{ createStore }, { createLogger }] = await Promise.all([
    import("../../store"),
    import("../../log/logger"),
  ])
  const folder = await existingModelsFolder(settings)
  const log = createLogger({ level: "warn", format: "pretty", write: io.writeError })
  const aliases = settings.aliases
  const adaptersFolder = settings.paths.loras
  const store = createStore({ modelsFolder: folder, adaptersFolder, aliases: () => aliases, log })
  return { store, folder }
}

function asOurs(error: unknown, what: string, folder: string): Error {
  if (error instanceof UsageError) return error
  return new FileFailed(what, `the models directory ${folder}`, error)
}
