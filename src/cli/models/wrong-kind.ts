import type { ModelKind } from "../../domain/model"
import { XllmError } from "../../errors/base"
import { UsageError } from "../../errors/cli"

/** What models of each kind are called, and the command that uses them. */
const KINDS: Readonly<Record<ModelKind, readonly [what: string, command: string]>> = {
  text: ["a text model", 'run MODEL "prompt"'],
  tts: ["a text-to-speech model", 'speak MODEL "text"'],
  asr: ["a speech-to-text model", "transcribe MODEL FILE"],
  image: ["an image model", 'image MODEL "prompt"'],
}

/**
 * For a model that does something else than was asked of it: the command that was meant. Other errors stay as they are.
 * @param given the model as the user wrote it, which may be a path
 */
export function withRightCommand(error: unknown, given: string): unknown {
  if (!(error instanceof XllmError) || error.code !== "wrong_model_kind") return error
  const kind = error.details?.["model_kind"]
  if (typeof kind !== "string" || !isKind(kind)) return error
  const [what, command] = KINDS[kind]
  return new UsageError(`'${given}' is ${what}; use 'xllm ${command.replace("MODEL", () => asWord(given))}'`)
}

function isKind(text: string): text is ModelKind {
  return Object.hasOwn(KINDS, text)
}

/** As a shell takes it for one word. */
function asWord(text: string): string {
  return /^[\w./:@+~-]+$/.test(text) ? text : `"${text}"`
}
