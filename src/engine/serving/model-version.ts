import type { ModelSummary } from "../../domain/model"
import type { ModelSettings } from "../../domain/settings"
import type { SettingsOf } from "../contract"
import { settingsOfKind } from "../model-kinds"

/**
 * The version behind a model's name, as reported by the store. Every request looks the name up again, and answers
 * may arrive out of order: lookups are numbered, and an answer older than the latest one is ignored.
 */
export class ModelVersion {
  #summary: ModelSummary
  #lookups = 0
  #number = 0
  #settings: { readonly from: SettingsOf; readonly of: ModelSummary; readonly are: ModelSettings } | undefined

  constructor(summary: ModelSummary) {
    this.#summary = summary
  }

  get summary(): ModelSummary {
    return this.#summary
  }

  /** Different for each version. */
  get number(): number {
    return this.#number
  }

  /** The settings this version is loaded with; computed once. */
  settingsBy(settingsOf: SettingsOf): ModelSettings {
    if (this.#settings?.from !== settingsOf || this.#settings.of !== this.#summary) {
      const are = settingsOfKind(this.#summary.kind, settingsOf(this.#summary))
      this.#settings = { from: settingsOf, of: this.#summary, are }
    }
    return this.#settings.are
  }

  /** The name stands for `summary`. Returns true where that is a different version. */
  take(summary: ModelSummary, lookup: number): boolean {
    if (!this.#isNewer(lookup) || isSame(summary, this.#summary)) return false
    this.#summary = summary
    this.#number += 1
    return true
  }

  /** The name no longer exists: when it reappears, that is a new version. Returns false for a stale answer. */
  end(lookup: number): boolean {
    if (!this.#isNewer(lookup)) return false
    this.#number += 1
    return true
  }

  #isNewer(lookup: number): boolean {
    const isNewer = lookup > this.#lookups
    if (isNewer) this.#lookups = lookup
    return isNewer
  }
}

/** Would loading either give the same result? */
function isSame(a: ModelSummary, b: ModelSummary): boolean {
  return a.id === b.id && a.path === b.path && a.kind === b.kind
}
