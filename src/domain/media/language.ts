/**
 * The one rule for languages given by people and programs: a code (`de`, `deu`), a locale (`de-DE`, `zh_CN`) or the
 * English name (`German`). Whatever its form, a language has one code.
 */

/** Names in use besides Unicode's, among them all that OpenAI's Whisper accepts, and codes that mean the same. */
const SYNONYMS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    bokmal: "no",
    castilian: "es",
    farsi: "fa",
    fil: "tl",
    filipino: "tl",
    flemish: "nl",
    haitian: "ht",
    in: "id",
    iw: "he",
    ji: "yi",
    jw: "jv",
    letzeburgesch: "lb",
    mandarin: "zh",
    maori: "mi",
    mo: "ro",
    moldavian: "ro",
    moldovan: "ro",
    myanmar: "my",
    nb: "no",
    "norwegian bokmål": "no",
    nynorsk: "nn",
    panjabi: "pa",
    pushto: "ps",
    sinhalese: "si",
    valencian: "ca",
  }),
)

/** Languages without a code of two letters that speech models know. */
const LONGER_CODES = ["ceb", "haw", "yue"]

/** The code of a language in any of its forms; undefined if it is unknown. */
export function languageCode(given: string): string | undefined {
  const plain = given.trim().toLowerCase()
  return SYNONYMS.get(plain) ?? codesByName().get(plain) ?? codeOfLocale(plain)
}

/** The English name of a language in small letters, such as `german`; an unknown code is kept. */
export function languageName(code: string): string {
  return nameOf(languageCode(code) ?? code) ?? code
}

function codeOfLocale(locale: string): string | undefined {
  try {
    const { language } = new Intl.Locale(locale.replaceAll("_", "-"))
    const name = nameOf(language)
    // Several codes have one name: `de`, `deu` and `ger`.
    return name === undefined ? undefined : (SYNONYMS.get(language) ?? codesByName().get(name) ?? language)
  } catch {
    return undefined // not the form of a locale
  }
}

let names: ReadonlyMap<string, string> | undefined

/** Codes by English name, of the languages that have a code of two letters and a few others. */
function codesByName(): ReadonlyMap<string, string> {
  names ??= new Map(
    [...twoLetterCodes(), ...LONGER_CODES].flatMap((code) => {
      const name = nameOf(code)
      return name === undefined || SYNONYMS.has(code) ? [] : [[name, code] as const]
    }),
  )
  return names
}

function twoLetterCodes(): string[] {
  const letters = [..."abcdefghijklmnopqrstuvwxyz"]
  return letters.flatMap((first) => letters.map((second) => first + second))
}

let displayNames: Intl.DisplayNames | undefined

function nameOf(code: string): string | undefined {
  displayNames ??= new Intl.DisplayNames("en", { type: "language", fallback: "none" })
  try {
    return displayNames.of(code)?.toLowerCase()
  } catch {
    return undefined // not the form of a code
  }
}
