import { type FSWatcher, mkdirSync, watch } from "node:fs"
import { dirname } from "node:path"
import { changedSettings } from "../../config/effective"
import type { Inputs } from "../../config/load"
import { findPaths } from "../../config/paths"
import { gatherInputs } from "../../config/settings"
import { placeAndReason } from "../../errors/base"
import type { Logger } from "../../log/logger"

/** Editors write a file in several steps, in milliseconds. */
const DEBOUNCE_MS = 200

export interface ReloadOptions {
  /** As the server was started with. */
  readonly inputs: Inputs
  /** The command line, with the name of a file if it has one. */
  readonly flags: Readonly<Record<string, unknown>>
  readonly log: Logger
  /** Takes over what can change. Returns models that will be loaded otherwise only the next time. */
  apply(inputs: Inputs): readonly string[]
}

/** The configuration of a running server, which is read again when its file changes or somebody asks for it. */
export class LiveConfiguration {
  readonly #options: ReloadOptions
  #inputs: Inputs
  #pending: Promise<void> = Promise.resolve()

  constructor(options: ReloadOptions) {
    this.#options = options
    this.#inputs = options.inputs
  }

  /** What counts now. */
  get inputs(): Inputs {
    return this.#inputs
  }

  /** Reads the file again; a wrong one changes nothing. Never rejects: the log tells what came of it. */
  reload(): Promise<void> {
    this.#pending = this.#pending.then(() => this.#reload())
    return this.#pending
  }

  async #reload(): Promise<void> {
    const { flags, log, apply } = this.#options
    try {
      const next = await gatherInputs(flags, this.#inputs.environment)
      const changes = changedSettings(this.#inputs, next)
      if (changes.length === 0) return
      const stale = apply(next)
      this.#inputs = next
      const named = (when: "now" | "load" | undefined) =>
        changes.filter(({ takesEffect }) => takesEffect === when).map(({ path }) => path)
      const [now, later, restart] = [named("now"), named("load"), named(undefined)]
      log.info("configuration changed", {
        ...(now.length > 0 && { settings: now }),
        ...(later.length > 0 && { from_the_next_load: later, loaded_models: stale }),
      })
      if (restart.length > 0)
        log.warn("restart the server for these settings to take effect", { settings: restart })
    } catch (error) {
      log.error("invalid configuration, keeping the previous one", { error: placeAndReason(error) })
    }
  }

  /** Reads the file again whenever it changes, until disposed of. */
  watch(): Disposable {
    const { environment, file } = this.#inputs
    const folder = file === undefined ? ensureFolder(findPaths(environment).home) : dirname(file.path)
    let timer: ReturnType<typeof setTimeout> | undefined
    // The folder: editors replace the file, and a mounted one may be a link to another that is replaced.
    const watcher = watchFolder(folder, () => {
      clearTimeout(timer)
      timer = setTimeout(() => void this.reload(), DEBOUNCE_MS)
    })
    return {
      [Symbol.dispose]() {
        clearTimeout(timer)
        watcher?.close()
      },
    }
  }
}

/** A file may be put there later. */
function ensureFolder(folder: string): string {
  try {
    mkdirSync(folder, { recursive: true })
  } catch {
    // Nobody can put a file there either.
  }
  return folder
}

/** Without the folder, or where the system cannot watch, a signal still asks for a reload. */
function watchFolder(folder: string, onChange: () => void): FSWatcher | undefined {
  try {
    return watch(folder, { persistent: false }, onChange).on("error", () => {})
  } catch {
    return undefined
  }
}
