import type { LoadedModel } from "../../domain/loaded-model"
import { type GgufDetails, isGguf, type ModelSummary } from "../../domain/model"
import { mapSome } from "../../lib/async/map-some"
import type { Catalog } from "../../store/contract"
import type { ContextLengths, SettingsOf } from "../contract"
import type { AvailableMemory } from "../residency/available-memory"
import { expectedContext } from "../residency/cache-memory"

/**
 * Reading a file's header takes about 20 ms, once per version. With hundreds of new models, a list shows those read
 * by then, and the next list shows the others.
 */
const PATIENCE_MS = 500

/** Far more than a folder holds; past this the server forgets them all. */
const MOST_VERSIONS = 10_000

export interface ContextReaderOptions {
  readonly store: Catalog
  readonly settingsOf: SettingsOf
  readonly loaded: () => readonly LoadedModel[]
  /** The memory that a model may have, as far as known. */
  readonly available: () => AvailableMemory
}

/** Determines the context lengths of text and embedding models. */
export class ContextReader {
  readonly #options: ContextReaderOptions
  /** By version id; `undefined` where the file cannot be read. */
  readonly #versions = new Map<string, Promise<GgufDetails | undefined>>()

  constructor(options: ContextReaderOptions) {
    this.#options = options
  }

  /** By name. Models of other kinds, and those not read in time, are absent. */
  async read(models: readonly ModelSummary[]): Promise<ReadonlyMap<string, ContextLengths>> {
    const lengths = new Map<string, ContextLengths>()
    const isLoaded = new Set<string>()
    for (const { name, info } of this.#options.loaded()) {
      if (info?.kind !== "text" && info?.kind !== "embedding") continue
      isLoaded.add(name)
      const limitedBy = info.kind === "text" ? info.contextLimitedBy : undefined
      lengths.set(name, toLengths(info.trainedContextLength, info.contextLength, limitedBy))
    }
    const others = models.filter(({ name, kind }) => isGguf({ kind }) && !isLoaded.has(name))
    const available = this.#options.available()
    const reading = mapSome(others, async (model) => {
      const details = await this.#versionOf(model)
      const length = details && this.#willServe({ ...details, name: model.name }, available)
      if (length !== undefined) lengths.set(model.name, length)
    })
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, PATIENCE_MS)
    await Promise.race([reading, late])
    clearTimeout(timer)
    // A copy: later results are for the next call.
    return new Map(lengths)
  }

  #versionOf({ id, name }: ModelSummary): Promise<GgufDetails | undefined> {
    const known = this.#versions.get(id)
    if (known !== undefined) return known
    if (this.#versions.size >= MOST_VERSIONS) this.#versions.clear()
    const version = this.#options.store.describe(name).then(
      (details) => (isGguf(details) ? withoutTexts(details) : undefined),
      () => undefined,
    )
    this.#versions.set(id, version)
    return version
  }

  #willServe(details: GgufDetails, available: AvailableMemory): ContextLengths | undefined {
    const { name, id, contextLength: trained, defaults } = details
    if (trained === 0) return undefined
    const settings = this.#options.settingsOf({ name, id, ...(defaults !== undefined && { defaults }) })
    if (details.kind === "embedding")
      return toLengths(trained, Math.min(settings.contextLength ?? trained, trained), undefined)
    const { contextLength, contextLimitedBy } = expectedContext(details, settings, available)
    return toLengths(trained, contextLength, contextLimitedBy)
  }
}

function toLengths(trained: number, served: number, limitedBy: ContextLengths["limitedBy"]): ContextLengths {
  return { trained, served, ...(limitedBy !== undefined && { limitedBy }) }
}

/** Templates and messages may be long, and say nothing about the context. */
function withoutTexts({ defaults, ...details }: GgufDetails): GgufDetails {
  const kept = defaults?.settings === undefined ? {} : { defaults: { settings: defaults.settings } }
  return { ...details, chatTemplate: undefined, ...kept }
}
