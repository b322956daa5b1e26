import { type FSWatcher, mkdirSync, watch } from "node:fs"
import { dirname } from "node:path"
import { changedSettings } from "../../config/effective"
import { readSettings, type Settings } from "../../config/resolve"
import { placeAndReason } from "../../errors/base"
import type { Logger } from "../../log/logger"

/** In milliseconds; editors write a file in several steps. */
const DEBOUNCE_MS = 200

export interface ReloadOptions {
  /** The settings that the server was started with. */
  readonly settings: Settings
  /** The command line's flags, including the configuration file's name if given. */
  readonly flags: Readonly<Record<string, unknown>>
  readonly log: Logger
  /**
   * Adopts the settings that can change at runtime. Returns the models to which changes apply only after the next
   * load.
   */
  apply(settings: Settings): readonly string[]
}

/** The configuration of a running server, reloaded when its file changes or on request. */
export class LiveConfiguration {
  readonly #options: ReloadOptions
  #settings: Settings
  #pending: Promise<void> = Promise.resolve()

  constructor(options: ReloadOptions) {
    this.#options = options
    this.#settings = options.settings
  }

  /** The current settings. */
  get settings(): Settings {
    return this.#settings
  }

  /** Reloads the file; an invalid one changes nothing. Never rejects: the result is logged. */
  reload(): Promise<void> {
    this.#pending = this.#pending.then(() => this.#reload())
    return this.#pending
  }

  async #reload(): Promise<void> {
    const { flags, log, apply } = this.#options
    try {
      const next = await readSettings(flags, this.#settings.environment)
      const changes = changedSettings(this.#settings.inputs, next.inputs)
      if (changes.length === 0) return
      const stale = apply(next)
      this.#settings = next
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

  /** Reloads the file whenever it changes, until disposed. */
  watch(): Disposable {
    const { paths, file } = this.#settings
    const folder = file === undefined ? ensureFolder(paths.home) : dirname(file.path)
    let timer: ReturnType<typeof setTimeout> | undefined
    // Watches the folder, because editors replace the file, and a mounted file may be a link that is replaced.
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

/** The file may be created later. */
function ensureFolder(folder: string): string {
  try {
    mkdirSync(folder, { recursive: true })
  } catch {
    // Then the file cannot be created either.
  }
  return folder
}

/** If the folder is missing or cannot be watched, a signal can still trigger a reload. */
function watchFolder(folder: string, onChange: () => void): FSWatcher | undefined {
  try {
    return watch(folder, { persistent: false }, onChange).on("error", () => {})
  } catch {
    return undefined
  }
}
