import { computed, type ReadonlySignal } from "@preact/signals"
import { stored } from "../lib/stored"

/** The languages of the page, by the names that they call themselves. */
export const LANGUAGES = { en: "English", ja: "日本語" } as const

type Language = keyof typeof LANGUAGES

/** The user's choice; `auto`: the browser's. */
export const chosenLanguage = stored<Language | "auto">("language", "auto", (value) => isLanguage(value))

/** The language in use. */
export const language = computed<Language>(() =>
  chosenLanguage.value === "auto" ? preferred() : chosenLanguage.value,
)

/**
 * The texts of one part of the page, in the language in use. English is the measure: a text that another language
 * lacks, or has with other parameters, is an error of types.
 */
export function textsOf<T extends object>(table: {
  readonly en: T
  readonly ja: NoInfer<T>
}): ReadonlySignal<T> {
  return computed(() => table[language.value])
}

function preferred(): Language {
  const found = navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase()).find(isLanguage)
  return found ?? "en"
}

function isLanguage(value: unknown): value is Language {
  return typeof value === "string" && Object.hasOwn(LANGUAGES, value)
}
