import type { LoadedModel } from "../../domain/loaded-model"
import type { ModelDefaults, ModelSummary } from "../../domain/model"
import { usualContext } from "../../formats/kv-layout"
import { mapSome } from "../../lib/async/map-some"
import type { Catalog } from "../../store/contract"
import type { ContextLengths, SettingsOf } from "../contract"

/**
 * The header of a file takes some 20 ms to read, once for each version of it. Where hundreds of models are new, a list
 * tells of those that have been read by then, and the next one of the others.
 */
const PATIENCE_MS = 500

/** Far more than a folder has; a server that sees so many come and go forgets them. */
const MOST_VERSIONS = 10_000

/** What of a model that is not loaded tells how long its conversations will be. */
interface TextVersion {
  readonly trained: number
  readonly defaults?: ModelDefaults
}

export interface ContextReaderOptions {
  readonly store: Catalog
  readonly settingsOf: SettingsOf
  readonly loaded: () => readonly LoadedModel[]
}

/** Tells how long conversations of text models may be. */
export class ContextReader {
  readonly #options: ContextReaderOptions
  /** By the ids of versions; `undefined` where the file cannot be read. */
  readonly #versions = new Map<string, Promise<TextVersion | undefined>>()

  constructor(options: ContextReaderOptions) {
    this.#options = options
  }

  /** By name. Of models of other kinds, and of those that are not known in time, there is nothing. */
  async read(models: readonly ModelSummary[]): Promise<ReadonlyMap<string, ContextLengths>> {
    const lengths = new Map<string, ContextLengths>()
    const isLoaded = new Set<string>()
    for (const { name, info } of this.#options.loaded()) {
      if (info?.kind !== "text") continue
      isLoaded.add(name)
      lengths.set(name, { trained: info.trainedContextLength, served: info.contextLength })
    }
    const others = models.filter(({ name, kind }) => kind === "text" && !isLoaded.has(name))
    const reading = mapSome(others, async (model) => {
      const version = await this.#versionOf(model)
      const length = version && this.#willServe(model.name, version)
      if (length !== undefined) lengths.set(model.name, length)
    })
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, PATIENCE_MS)
    await Promise.race([reading, late])
    clearTimeout(timer)
    // What comes later is for the next reader.
    return new Map(lengths)
  }

  #versionOf({ id, name }: ModelSummary): Promise<TextVersion | undefined> {
    const known = this.#versions.get(id)
    if (known !== undefined) return known
    if (this.#versions.size >= MOST_VERSIONS) this.#versions.clear()
    const version = this.#options.store.describe(name).then(
      (details) => (details.kind === "text" ? toVersion(details.contextLength, details.defaults) : undefined),
      () => undefined,
    )
    this.#versions.set(id, version)
    return version
  }

  #willServe(name: string, { trained, defaults }: TextVersion): ContextLengths | undefined {
    if (trained === 0) return undefined
    const { contextLength } = this.#options.settingsOf({ name, ...(defaults !== undefined && { defaults }) })
    return { trained, served: contextLength ?? usualContext(trained) }
  }
}

/** Of what comes along only the settings, for templates may be long. */
function toVersion(trained: number, defaults: ModelDefaults | undefined): TextVersion {
  return { trained, ...(defaults?.settings !== undefined && { defaults: { settings: defaults.settings } }) }
}
