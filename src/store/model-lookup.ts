import type { ModelKind, ModelSummary } from "../domain/model"
import { KINDS } from "../domain/tasks"
import { InvalidModelName, ModelLoadFailed, ModelNotFound } from "../errors/model"
import { InvalidRequest } from "../errors/request"
import { type Aliases, aliasOf } from "../lib/aliases"
import type { AliasState } from "./contract"
import { choiceOf, damagedDescription, FIRST_MODEL, hintFor } from "./hint"
import type { LocalModel, LocalModels, RefusedModel } from "./local/local-models"
import { ggufModelKind, type ModelFiles } from "./local/model-file"
import type { ManagedEntry, ManagedModel, ManagedModels } from "./managed/managed-models"
import { formatModelName, type ModelName, parseModelName } from "./names"

/** A model and its location. */
export type KnownModel =
  | (LocalModel & { readonly origin: "local" })
  | { readonly origin: "managed"; readonly managed: ManagedModel; readonly summary: ModelSummary }

interface LookupParts {
  readonly files: ModelFiles
  readonly local: LocalModels
  readonly managed: ManagedModels
  /** Read on every lookup, as they may change. */
  readonly aliases: () => Aliases
  /** All models, for suggestions. */
  readonly list: () => Promise<readonly ModelSummary[]>
}

/** What a name means. */
export class ModelLookup {
  readonly #parts: LookupParts

  constructor(parts: LookupParts) {
    this.#parts = parts
  }

  /** @throws ModelNotFound, suggesting similar names; ModelLoadFailed for files that cannot be used */
  async find(name: string): Promise<KnownModel> {
    const found = await this.lookUp(name)
    if (found === undefined) throw new ModelNotFound(name, await this.#hint(name))
    if ("refusal" in found) throw new ModelLoadFailed(name, found.refusal)
    return found
  }

  /** The one rule for names: a model of that name, or else the alias's target. */
  async lookUp(name: string): Promise<KnownModel | RefusedModel | undefined> {
    return (await this.#follow(name)).found
  }

  /** The final target of an alias, whether it exists or not; undefined for a model's own name. */
  async aliasTarget(name: string): Promise<string | undefined> {
    if (aliasOf(this.#parts.aliases(), name) === undefined) return undefined
    const end = await this.#follow(name)
    return end.name === name ? undefined : end.name
  }

  /** Every alias, in configuration order. */
  async aliasStates(): Promise<readonly AliasState[]> {
    const aliases = Array.from(this.#parts.aliases())
    return await Promise.all(aliases.map(([alias, target]) => this.#stateOf(alias, target)))
  }

  /** Does the name mean nothing but a damaged manifest? */
  async isDamaged(name: string, parsed: ModelName): Promise<boolean> {
    if ((await this.#parts.managed.occupant(parsed)) !== "unreadable") return false
    return (await this.lookUp(name)) === undefined
  }

  async #stateOf(alias: string, target: string): Promise<AliasState> {
    const [hidden, whole] = await Promise.all([this.#lookUpModel(alias), this.lookUp(target)])
    // It may stand for a model with an adapter, which is looked up with each request.
    const base = /^(.+)@[^@]+$/s.exec(target)?.[1]
    const model = whole ?? (base === undefined ? undefined : await this.lookUp(base))
    const nameOf = (found: typeof whole) =>
      found === undefined || "refusal" in found ? undefined : found.summary.name
    return { alias, target, hiddenBy: nameOf(hidden), model: nameOf(model) }
  }

  /** The final target of an alias chain, and the model of that name. */
  async #follow(
    given: string,
  ): Promise<{ readonly name: string; readonly found: KnownModel | RefusedModel | undefined }> {
    const { aliases } = this.#parts
    let name = given
    // No more steps than there are aliases: they have no loops, unless they were changed meanwhile.
    for (let steps = aliases().size; ; steps--) {
      const found = await this.#lookUpModel(name)
      const next = aliasOf(aliases(), name)?.target
      if (found !== undefined || next === undefined || steps <= 0) return { name, found }
      name = next
    }
  }

  /**
   * A local file, then an installed model, whose tag `latest` may be omitted, then a file again, which may be given
   * that tag. Case is ignored; among files an exact match comes first.
   */
  async #lookUpModel(name: string): Promise<KnownModel | RefusedModel | undefined> {
    const local = await this.#findLocal(name)
    if (local !== undefined && !("refusal" in local)) return local
    const managed = await this.#findManaged(name)
    if (managed !== undefined || local !== undefined) return managed ?? local
    const bare = name.replace(/:latest$/i, "")
    return bare === name ? undefined : await this.#findLocal(bare)
  }

  async #findLocal(name: string): Promise<KnownModel | RefusedModel | undefined> {
    const found = await this.#parts.local.find(name)
    return found === undefined || "refusal" in found ? found : { origin: "local", ...found }
  }

  async #findManaged(name: string): Promise<KnownModel | undefined> {
    const parsed = tryParseName(name)
    const managed = parsed && (await this.#parts.managed.find(parsed))
    return managed && { origin: "managed", managed, summary: await summaryOf(managed, this.#parts.files) }
  }

  async #hint(name: string): Promise<string> {
    const { managed, list } = this.#parts
    const parsed = tryParseName(name)
    if (parsed !== undefined && (await managed.occupant(parsed)) === "unreadable") {
      return `: ${damagedDescription(formatModelName(parsed))}`
    }
    const target = await this.aliasTarget(name)
    if (target !== undefined) return `: it is an alias of '${target}', which does not exist`
    const models = await list()
    return hintFor(
      name,
      models.flatMap((model) => [model.name, ...(model.aliases ?? [])]),
    )
  }
}

/**
 * The only model of a kind, for requests that name none. Text models that generate no text (embedding models and the
 * like) count only where there are no others.
 * @param generating those of some text models that generate text
 * @throws InvalidRequest where there is none, or a choice
 */
export async function onlyModel(
  all: readonly ModelSummary[],
  kind: ModelKind | undefined,
  generating: (models: readonly ModelSummary[]) => Promise<readonly ModelSummary[]>,
): Promise<string> {
  const ofKind = kind === undefined ? all : all.filter((model) => model.kind === kind)
  const able = kind === "text" && ofKind.length > 1 ? await generating(ofKind) : ofKind
  const [first, ...others] = able.length > 0 ? able : ofKind
  const what = kind === undefined ? "model" : `${KINDS[kind].type} model`
  if (first === undefined) {
    const reason =
      all.length === 0 ? `there are no models here yet: ${FIRST_MODEL}` : `there is no ${what} to choose`
    throw new InvalidRequest(`model is required: ${reason}`, "model")
  }
  if (others.length === 0) return first.name
  throw new InvalidRequest(
    `model is required: ${choiceOf(
      (able.length > 0 ? able : ofKind).map(({ name }) => name),
      what,
    )}`,
    "model",
  )
}

/** Manifests do not tell what GGUF files are for. */
export async function summaryOf(entry: ManagedEntry, files: ModelFiles): Promise<ModelSummary> {
  const { path, id, sizeBytes, installedAt: modifiedAt } = entry
  const name = formatModelName(entry.name)
  const kind =
    entry.kind === "text"
      ? await files.inspect({ form: "gguf", name, path, paths: [path] }).then(
          ggufModelKind,
          () => "text" as const, // the load reports what is wrong with it
        )
      : entry.kind
  return { name, kind, path, id, sizeBytes, modifiedAt }
}

/** Undefined for what cannot be the name of an installed model. */
export function tryParseName(name: string): ModelName | undefined {
  try {
    return parseModelName(name)
  } catch (error) {
    if (error instanceof InvalidModelName) return undefined
    throw error
  }
}
