import { InvalidRequest, Unsupported } from "../../errors/request"
import type { AsrDescription } from "../../formats/speech/asr-model"

/**
 * The requested language as the model spells it, given as a code (`en`, `en-US`) or an English name.
 * Undefined: the model detects it. Models without a list of languages accept any and ignore it.
 * @throws InvalidRequest for a language that the model does not support
 */
export function chooseLanguage(
  { languages }: Pick<AsrDescription, "languages">,
  wanted: string | undefined,
): string | undefined {
  const given = wanted?.trim().toLowerCase()
  if (!given || given === "auto" || languages.length === 0) return undefined
  const primary = given.split(/[-_]/)[0] ?? given
  const code = languages.find((each) => each === given) ?? languages.find((each) => each === primary)
  const found = code ?? languages.find((each) => nameOf(each) === given)
  if (found !== undefined) return found
  throw new InvalidRequest(
    `the model does not support the language '${wanted}'; it supports ${languages.toSorted().join(", ")}`,
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

function nameOf(code: string): string | undefined {
  try {
    return new Intl.DisplayNames("en", { type: "language", fallback: "none" }).of(code)?.toLowerCase()
  } catch {
    return undefined // not a language code known to Intl
  }
}
