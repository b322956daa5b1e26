import { languageCode } from "../../domain/media/language"
import { InvalidRequest, Unsupported } from "../../errors/request"
import type { AsrDescription } from "../../formats/speech/asr-model"
import { shorten } from "../../lib/text/shorten"
import { SHOWN } from "../../limits"

/**
 * The requested language as the model spells it, given in any form of {@link languageCode}. Undefined: the model detects
 * it, or has no list of languages and cannot be told one.
 * @throws InvalidRequest for a language that the model does not support, or an unknown one
 */
export function chooseLanguage(
  { languages }: Pick<AsrDescription, "languages">,
  wanted: string | undefined,
): string | undefined {
  const given = wanted?.trim().toLowerCase()
  if (!given || given === "auto") return undefined
  const exact = languages.find((each) => each === given)
  if (exact !== undefined) return exact
  const code = languageCode(given)
  const found = code && languages.find((each) => languageCode(each) === code)
  if (found || (code !== undefined && languages.length === 0)) return found
  const known =
    languages.length === 0
      ? "it must be a code (en, en-US) or an English name (German)"
      : `the model supports ${languages.toSorted().join(", ")}`
  throw new InvalidRequest(
    `language '${shorten(wanted ?? given, SHOWN.value)}' is not supported: ${known}`,
    "language",
  )
}

/** @throws Unsupported if the model can only transcribe */
export function checkTask(
  { canTranslate }: Pick<AsrDescription, "canTranslate">,
  task: "transcribe" | "translate",
): void {
  if (task === "translate" && !canTranslate)
    throw new Unsupported("this model cannot translate; multilingual Whisper models can", "model")
}
