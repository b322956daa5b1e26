import type { LoadedModel } from "../../domain/loaded-model"
import type { ModelDefaults, ModelSummary } from "../../domain/model"
import { usualContext } from "../../formats/kv-layout"
import { mapSome } from "../../lib/async/map-some"
import type { Catalog } from "../../store/contract"
import type { ContextLengths, SettingsOf } from "../contract"

/**
 * Reading a file's header takes about 20 ms, once per version. With hundreds of new models, a list shows those read
 * by then, and the next list shows the others.
 */
const PATIENCE_MS = 500

/** Far more than a folder holds; past this the server forgets them all. */
const MOST_VERSIONS = 10_000

/** The facts about a model on disk that determine how long its conversations can be. */
interface TextVersion {
  readonly trained: number
  readonly defaults?: ModelDefaults
}

export interface ContextReaderOptions {
  readonly store: Catalog
  readonly settingsOf: SettingsOf
  readonly loaded: () => readonly LoadedModel[]
}

/** Determines the context lengths of text models. */
export class ContextReader {
  readonly #options: ContextReaderOptions
  /** By version id; `undefined` where the file cannot be read. */
  readonly #versions = new Map<string, Promise<TextVersion | undefined>>()

  constructor(options: ContextReaderOptions) {
    this.#options = options
  }

  /** By name. Models of other kinds, and those not read in time, are absent. */
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
    // A copy: later results are for the next call.
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

/** Keeps only the settings of the defaults, as templates may be long. */
function toVersion(trained: number, defaults: ModelDefaults | undefined): TextVersion {
  return { trained, ...(defaults?.settings !== undefined && { defaults: { settings: defaults.settings } }) }
}
