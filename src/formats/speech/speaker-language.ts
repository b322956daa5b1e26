/** Kokoro's names begin with a letter for the language and one for the speaker's sex, as `af_heart`. */
const LANGUAGES: Readonly<Record<string, string>> = {
  a: "en-us",
  b: "en-gb-x-rp",
  e: "es",
  f: "fr",
  h: "hi",
  i: "it",
  j: "ja",
  p: "pt-br",
  z: "cmn",
}

/** What espeak-ng calls the language of one of Kokoro's speakers; `undefined` where the name does not tell. */
export function languageOfSpeaker(name: string | undefined): string | undefined {
  const letter = /^([a-z])[fm]_/.exec(name ?? "")?.[1]
  return letter === undefined ? undefined : LANGUAGES[letter]
}
