import { stat } from "node:fs/promises"
import { basename, isAbsolute, resolve } from "node:path"
import type { ModelSummary } from "../../domain/model"
import { taskOf, type WorkRequest } from "../../domain/tasks"
import { asXllmError } from "../../errors/base"
import { InvalidSettings } from "../../errors/engine"
import { ModelNotFound } from "../../errors/model"
import { FileFailed } from "../../errors/store"
import type { SettingsOf } from "../contract"
import type { Catalog } from "../../store/contract"
import { checkGenerates, checkKind, type DraftFile, withDraft } from "../model-kinds"
import type { ModelServer } from "./model-server"

/** No model's name is like this. */
function isPath(name: string): boolean {
  return isAbsolute(name) || /^\.{1,2}\//.test(name) || /\.gguf$/i.test(name)
}

/** A draft model that is not installed. @throws FileFailed */
async function draftFile(path: string): Promise<DraftFile> {
  const whole = resolve(path)
  try {
    return { name: basename(whole), path: whole, sizeBytes: (await stat(whole)).size }
  } catch (error) {
    throw new FileFailed("read", whole, error)
  }
}

export interface DirectoryOptions {
  readonly store: Catalog
  readonly settingsOf: SettingsOf
  readonly create: (summary: ModelSummary) => ModelServer
  /** @throws ShuttingDown where nothing may begin any more */
  readonly checkOpen: () => void
}

/** Every model that was ever used, with a worker or without, and the way to it from a name. */
export class ModelDirectory {
  readonly #options: DirectoryOptions
  readonly #byName = new Map<string, ModelServer>()
  /** Sequence number of store lookups; a stale reply is discarded. */
  #lookups = 0

  constructor(options: DirectoryOptions) {
    this.#options = options
  }

  [Symbol.iterator](): Iterator<ModelServer> {
    return this.#byName.values()
  }

  /** The model of that very name, if it was ever used. */
  named(name: string): ModelServer | undefined {
    return this.#byName.get(name)
  }

  /**
   * Finds the requested model, of any kind where the request has none.
   * @param named receives the resolved name as soon as that is known
   * @throws ModelNotFound, InvalidRequest, WrongModelKind, ShuttingDown
   */
  async find(
    request: { readonly model?: string; readonly kind?: WorkRequest["kind"] },
    named: { model?: string | undefined } = {},
  ): Promise<ModelServer> {
    this.#options.checkOpen()
    const lookup = ++this.#lookups
    const summary = await this.#withDraft(await this.#resolve(request))
    named.model = summary.name
    await this.#checkGenerates(summary)
    if (request.kind !== undefined) checkKind(summary, request.kind)
    this.#options.checkOpen()
    const model = this.#byName.get(summary.name) ?? this.#options.create(summary)
    this.#byName.set(summary.name, model)
    model.update(summary, lookup)
    return model
  }

  /** With the draft model that its settings name. @throws InvalidSettings */
  async #withDraft(summary: ModelSummary): Promise<ModelSummary> {
    const { draftModel, speculation } = this.#options.settingsOf(summary)
    if (summary.kind !== "text" || draftModel === null || speculation === "off") return summary
    const draft = isPath(draftModel) ? draftFile(draftModel) : this.#options.store.resolve(draftModel)
    return withDraft(
      summary,
      await draft.catch((error: unknown) => {
        throw new InvalidSettings(`its draft_model: ${asXllmError(error).publicMessage}`, summary.name)
      }),
    )
  }

  /** A loaded model has already passed this check. @throws WrongModelKind */
  async #checkGenerates({ name, kind, id }: ModelSummary): Promise<void> {
    const known = this.#byName.get(name)
    if (kind !== "text" || (known?.workers.replicas.serves() && known.summary.id === id)) return
    // The load reports problems with the files.
    const details = await this.#options.store.describe(name).catch(() => undefined)
    if (details !== undefined) checkGenerates(details)
  }

  /** @throws ModelNotFound, InvalidRequest */
  async #resolve({
    model,
    kind,
  }: {
    readonly model?: string
    readonly kind?: WorkRequest["kind"]
  }): Promise<ModelSummary> {
    try {
      return await this.#options.store.resolve(model, kind && taskOf({ kind }).model)
    } catch (error) {
      // The removed model may still be loaded, under another spelling of its name.
      if (error instanceof ModelNotFound) await this.#retireRemoved().catch(() => {})
      throw error
    }
  }

  /**
   * Retires the workers of models that no longer exist; they end once they finish. @throws the store's errors of
   * listing
   */
  async #retireRemoved(): Promise<void> {
    const loaded = [...this.#byName.values()].filter(({ workers }) => workers.replicas.serves())
    if (loaded.length === 0) return
    const lookup = ++this.#lookups
    const there = new Set((await this.#options.store.list()).map(({ name }) => name))
    for (const model of loaded) if (!there.has(model.summary.name)) model.removed(lookup)
  }
}
