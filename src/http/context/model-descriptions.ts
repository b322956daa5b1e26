import type { ModelDetails, ModelSummary } from "../../domain/model"
import type { Engine } from "../../engine/contract"

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
