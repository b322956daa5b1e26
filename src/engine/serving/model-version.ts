import type { ModelSummary } from "../../domain/model"
import type { ModelSettings } from "../../domain/settings"
import type { SettingsOf } from "../contract"
import { settingsOfKind } from "../model-kinds"

/**
 * What a model's name stands for, as the store has told. The store is asked anew for every request, and may answer a
 * later question first: each question has a number, and answers to earlier ones than the last are nothing new.
 */
export class ModelVersion {
  #summary: ModelSummary
  #asked = 0
  #number = 0
  #settings: { readonly from: SettingsOf; readonly of: ModelSummary; readonly are: ModelSettings } | undefined

  constructor(summary: ModelSummary) {
    this.#summary = summary
  }

  get summary(): ModelSummary {
    return this.#summary
  }

  /** Another one for each version. */
  get number(): number {
    return this.#number
  }

  /** What the version is loaded with; worked out once. */
  settingsBy(settingsOf: SettingsOf): ModelSettings {
    if (this.#settings?.from !== settingsOf || this.#settings.of !== this.#summary) {
      const are = settingsOfKind(this.#summary.kind, settingsOf(this.#summary))
      this.#settings = { from: settingsOf, of: this.#summary, are }
    }
    return this.#settings.are
  }

  /** The name stands for `summary`. True where that is another version. */
  take(summary: ModelSummary, asked: number): boolean {
    if (!this.#isNews(asked) || isSame(summary, this.#summary)) return false
    this.#summary = summary
    this.#number += 1
    return true
  }

  /** The name stands for nothing: if it does again, that is another version. False where the answer is an old one. */
  end(asked: number): boolean {
    if (!this.#isNews(asked)) return false
    this.#number += 1
    return true
  }

  #isNews(asked: number): boolean {
    const isNews = asked > this.#asked
    if (isNews) this.#asked = asked
    return isNews
  }
}

/** Would loading the one give what the other has? */
function isSame(a: ModelSummary, b: ModelSummary): boolean {
  return a.id === b.id && a.path === b.path && a.kind === b.kind
}
