import type { Engine } from "../../engine/contract"
import type { Logger } from "../../log/logger"

/** More are not worth a line. */
const MOST_NOTED = 64

/**
 * What becomes of `num_ctx`: it asks for at least that length. A model is loaded for conversations as long as the machine can
 * hold, so it is not loaded again; one that serves less says so.
 */
export class ContextWishes {
  readonly #engine: Engine
  readonly #log: Logger
  /** Models of which the log has a line. */
  readonly #noted = new Set<string>()

  constructor(engine: Engine, log: Logger) {
    this.#engine = engine
    this.#log = log
  }

  /** The sentence for a client whose wish is not met. @throws ModelNotFound */
  async unmet(model: string, wanted: number | undefined): Promise<string | undefined> {
    if (wanted === undefined) return undefined
    const summary = await this.#engine.resolve(model, "chat")
    const served = (await this.#engine.contextLengths([summary])).get(summary.name)?.served
    if (served === undefined || wanted <= served) return undefined
    this.#note(summary.name, wanted, served)
    return `options.num_ctx asks for ${wanted} tokens, but '${summary.name}' serves ${served}`
  }

  #note(model: string, wanted: number, served: number): void {
    if (this.#noted.has(model) || this.#noted.size >= MOST_NOTED) return
    this.#noted.add(model)
    this.#log.warn("num_ctx is more than the model serves", { model, num_ctx: wanted, served })
  }
}
