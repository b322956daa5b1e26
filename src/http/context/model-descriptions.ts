import { type GgufDetails, isGguf, type ModelDetails, type ModelSummary } from "../../domain/model"
import type { Engine } from "../../engine/contract"
import { mapSome } from "../../lib/async/map-some"

/** Models whose descriptions are kept; more are read again. */
const REMEMBERED = 4096

/** Descriptions of models by id. Clients poll lists, and looking for hundreds of models each time takes long. */
export class ModelDescriptions {
  readonly #engine: Engine
  readonly #byId = new Map<string, ModelDetails>()

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Undefined for one whose files were just removed, or cannot be read. */
  async of({ id, name }: ModelSummary): Promise<ModelDetails | undefined> {
    const known = this.#byId.get(id)
    if (known !== undefined) return known
    const details = await this.#engine.show(name).catch(() => undefined)
    if (details === undefined) return undefined
    if (this.#byId.size >= REMEMBERED) this.#byId.clear()
    this.#byId.set(id, details)
    return details
  }
}

/** Those of `models` that llama.cpp runs and that can be read. Some clients take every model for one. */
export async function describeListed(
  models: readonly ModelSummary[],
  descriptions: ModelDescriptions,
): Promise<readonly (readonly [ModelSummary, GgufDetails])[]> {
  const described = await mapSome(
    models.filter(isGguf),
    async (model) => [model, await descriptions.of(model)] as const,
  )
  return described.flatMap(([model, details]) =>
    details !== undefined && isGguf(details) ? [[model, details] as const] : [],
  )
}
