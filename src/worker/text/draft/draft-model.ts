import type { AttachedPart } from "../../../domain/attached-parts"
import type { TextModelSettings } from "../../../domain/settings"
import { ModelLoadFailed } from "../../../errors/model"
import { MICRO_BATCH_TOKENS } from "../../../formats/kv-layout"
import { Context } from "../../../llama/context"
import type { Library } from "../../../llama/library"
import { Model } from "../../../llama/model"
import type { Vocabulary } from "../../../llama/vocabulary"
import { partRefused } from "../../attached-parts"

/** Models of one family may have been given some more tokens; no guess is made of those. */
const MOST_EXTRA_TOKENS = 128

/** How many cells more than the model a draft may need for each sequence: those of its guesses. */
const GUESS_CELLS = 64

/** A smaller model with the same vocabulary, which guesses what the model will say. */
export class DraftModel {
  readonly model: Model
  /** Tokens below this are the same in both. */
  readonly commonTokens: number
  readonly #settings: TextModelSettings
  readonly #threads: number

  private constructor(model: Model, commonTokens: number, settings: TextModelSettings, threads: number) {
    this.model = model
    this.commonTokens = commonTokens
    this.#settings = settings
    this.#threads = threads
  }

  /**
   * Loads the draft among a model's parts; undefined where there is none, or it is not to be used.
   * @throws ModelLoadFailed if it cannot guess for the model
   */
  static load(
    library: Library,
    target: Model,
    name: string,
    parts: readonly AttachedPart[],
    settings: TextModelSettings,
    threads: number,
  ): DraftModel | undefined {
    if (settings.speculation === "off" || settings.speculation === "ngram") return undefined
    const part = parts.find(({ role }) => role === "draft")
    if (part === undefined) {
      if (settings.speculation !== "draft") return undefined
      throw new ModelLoadFailed(
        name,
        "speculation is 'draft', but the model has no draft model; name one with --model-draft",
      )
    }
    const refuse = (why: string): ModelLoadFailed => partRefused(name, part, why)
    const model = Model.load(library, part.path, settings)
    if (model === undefined) throw refuse("was refused by llama.cpp")
    const fault = model.recurrent
      ? "has recurrent states, which cannot be taken back"
      : model.generatesText
        ? differenceOf(target.vocabulary, model.vocabulary)
        : "does not generate text"
    if (fault !== undefined) {
      model[Symbol.dispose]()
      throw refuse(fault)
    }
    const commonTokens = Math.min(target.vocabulary.size, model.vocabulary.size)
    return new DraftModel(model, commonTokens, settings, threads)
  }

  /** A context for as many tokens as the model's own has; undefined where there is no memory for it. */
  createContext(cells: number, sequences: number): Context | undefined {
    const context = Context.create(this.model, {
      ...this.#settings,
      cells: cells + sequences * GUESS_CELLS,
      layout: "unified",
      sequences,
      batchTokens: MICRO_BATCH_TOKENS,
      microBatchTokens: MICRO_BATCH_TOKENS,
      outputs: sequences,
      decodeThreads: this.#threads,
      prefillThreads: this.#threads,
    })
    // Threads that spin would take the cores from the model's own.
    context?.createThreads(this.#threads, false)
    return context
  }
}

/** Why guesses in one vocabulary are none in the other; undefined: they are. */
export function differenceOf(
  own: Pick<Vocabulary, "size" | "bytesOnce" | "isControl">,
  other: Pick<Vocabulary, "size" | "bytesOnce" | "isControl">,
): string | undefined {
  if (Math.abs(own.size - other.size) > MOST_EXTRA_TOKENS)
    return `has another vocabulary: ${other.size} tokens, and the model has ${own.size}`
  const common = Math.min(own.size, other.size)
  for (let token = 0; token < common; token++) {
    const [a, b] = [own.bytesOnce(token), other.bytesOnce(token)]
    if (Buffer.compare(a, b) === 0 && own.isControl(token) === other.isControl(token)) continue
    // Entries at the end are often placeholders.
    if (token >= common - MOST_EXTRA_TOKENS && isPlaceholder(a) && isPlaceholder(b)) continue
    return `has another vocabulary: token ${token} is ${shown(b)}, and in the model ${shown(a)}`
  }
  return undefined
}

function isPlaceholder(bytes: Uint8Array): boolean {
  return bytes.length === 0 || /^[<[].*[>\]]$/.test(new TextDecoder().decode(bytes))
}

function shown(bytes: Uint8Array): string {
  return JSON.stringify(new TextDecoder().decode(bytes.subarray(0, 40)))
}
