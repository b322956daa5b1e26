/** espeak-ng's name of Mandarin. */
export const CHINESE = "cmn"

/**
 * Names of Kokoro's speakers begin with a letter for the language and one for the sex, such as `af_heart`.
 */
const LANGUAGES: Readonly<Record<string, string>> = {
  a: "en-us",
  b: "en-gb-x-rp",
  e: "es",
  f: "fr",
  h: "hi",
  i: "it",
  j: "ja",
  p: "pt-br",
  z: CHINESE,
}

/** espeak-ng's name of the language of a Kokoro speaker; `undefined` if its name does not indicate one. */
export function languageOfSpeaker(name: string | undefined): string | undefined {
  const letter = /^([a-z])[fm]_/.exec(name ?? "")?.[1]
  return letter === undefined ? undefined : LANGUAGES[letter]
}
