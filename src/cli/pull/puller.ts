import type { Settings } from "../../config/resolve"
import type { FetchMissing } from "../../engine/contract"
import { InvalidModelName, ModelNotFound } from "../../errors/model"
import type { Logger } from "../../log/logger"
import type { Store } from "../../store/contract"
import {
  formatModelName,
  HUGGING_FACE_HOST,
  type ModelName,
  OLLAMA_HOST,
  parseModelName,
} from "../../store/names"
import type { PullEvent } from "../../store/pull/events"
import type { Puller } from "../../store/pull/pull"
import { openStore } from "../models/open-store"

/** Downloads models into the models folder; its modules are loaded only when needed. */
export async function createPuller(settings: Settings, store?: Store): Promise<Puller> {
  const [{ KeyFolder }, { Puller }, { PATIENCE }] = await Promise.all([
    import("../../store/keys"),
    import("../../store/pull/pull"),
    import("../../store/pull/transfer/retry"),
  ])
  const { connections, stallMs, verify, ...sources } = settings.pull
  return new Puller({
    store: store ?? (await openStore(settings)),
    sources,
    connections,
    keys: new KeyFolder(settings.paths.keys),
    verify,
    patience: { ...PATIENCE, stallMs },
  })
}

/**
 * Downloads missing models that clients request; undefined if this is not enabled. Accepts only names, and only from
 * hosts that the owner has configured, because clients are not trusted.
 */
export function missingModelFetcher(settings: Settings, store: Store, log: Logger): FetchMissing | undefined {
  if (!settings.pull.pullMissing) return undefined
  return async (model, { signal, onProgress }) => {
    const name = await pullableName(model, settings, store)
    log.info("downloading model", { model: formatModelName(name) })
    const puller = await createPuller(settings, store)
    const progress = new TotalProgress(onProgress)
    await puller.pull({ model, onlyMissing: true, signal, onEvent: (event) => progress.add(event) })
  }
}

/**
 * The name of a model that a client may have downloaded.
 * @throws ModelNotFound for what is no name, and for hosts that the owner has not configured
 */
export async function pullableName(model: string, settings: Settings, store: Store): Promise<ModelName> {
  const hosts = new Set([HUGGING_FACE_HOST, OLLAMA_HOST, ...settings.pull.registries])
  const name = parseName((await store.aliasTarget(model)) ?? model)
  if (hosts.has(name.host)) return name
  throw new ModelNotFound(model, `, and downloads from '${name.host}' are not enabled (see pull.registries)`)
}

function parseName(model: string): ModelName {
  try {
    return parseModelName(model)
  } catch (error) {
    if (error instanceof InvalidModelName) throw new ModelNotFound(model)
    throw error
  }
}

/** The progress of all files together. */
class TotalProgress {
  readonly #files = new Map<string, { readonly completed: number; readonly total: number }>()
  readonly #report: (fraction: number) => void

  constructor(report: (fraction: number) => void) {
    this.#report = report
  }

  add(event: PullEvent): void {
    if (event.type !== "progress") return
    const { id, completed, total = completed } = event
    this.#files.set(id, { completed, total })
    const all = [...this.#files.values()]
    const bytes = all.reduce((sum, file) => sum + file.total, 0)
    if (bytes > 0) this.#report(all.reduce((sum, file) => sum + file.completed, 0) / bytes)
  }
}
