import { constants } from "node:fs"
import { access, mkdir, stat } from "node:fs/promises"
import type { Inputs } from "../../config/load"
import { aliasesIn, modelsFolder, modelsFolderOrigin } from "../../config/settings"
import { UsageError } from "../../errors/cli"
import { FileFailed } from "../../errors/store"
import { systemCode } from "../../lib/system/system-reason"
import type { Store } from "../../store/contract"
import type { Io } from "../terminal/io"

/** What keeps the default folder from being made, and is no reason not to use a model that is elsewhere. */
const NOT_OURS = new Set(["EACCES", "EPERM", "EROFS"])

/**
 * The models directory, for a command that looks into it: what cannot be read must not look like an empty one. The
 * default one is made where it is missing; another is where the user says, or it is a mistake.
 * @throws UsageError, FileFailed
 */
export async function existingModelsFolder(inputs: Inputs): Promise<string> {
  const folder = modelsFolder(inputs)
  const { source, name } = modelsFolderOrigin(inputs)
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
    await make(folder)
  }
  return folder
}

/** The models there are, for a command that looks into them; what of them cannot be used is told on stderr. */
export async function openExistingStore(inputs: Inputs, io: Io): Promise<{ store: Store; folder: string }> {
  const [{ createStore }, { createLogger }] = await Promise.all([
    import("../../store"),
    import("../../log/logger"),
  ])
  const folder = await existingModelsFolder(inputs)
  const log = createLogger({ level: "warn", format: "pretty", write: io.writeError })
  const aliases = aliasesIn(inputs)
  return { store: createStore({ modelsFolder: folder, aliases: () => aliases, log }), folder }
}

async function make(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true })
  } catch (error) {
    if (!NOT_OURS.has(systemCode(error) ?? "")) throw asOurs(error, "create", folder)
  }
}

function asOurs(error: unknown, what: string, folder: string): Error {
  if (error instanceof UsageError) return error
  return new FileFailed(what, `the models directory ${folder}`, error)
}
