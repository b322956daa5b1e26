import type { ModelKind } from "../../domain/model"
import { XllmError } from "../../errors/base"
import { UsageError } from "../../errors/cli"

/** What models of each kind are called, and the command that uses them. */
const KINDS: Readonly<Record<ModelKind, readonly [what: string, command: string]>> = {
  text: ["a text model", 'run MODEL "prompt"'],
  tts: ["a text-to-speech model", 'speak MODEL "text"'],
  asr: ["a speech-to-text model", "transcribe MODEL FILE"],
  image: ["an image model", 'draw MODEL "prompt"'],
}

/**
 * For a model of the wrong kind, returns an error naming the right command. Other errors are returned unchanged.
 * @param given the model as typed by the user, which may be a path
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

/** Quotes text as a single shell word. */
function asWord(text: string): string {
  return /^[\w./:@+~-]+$/.test(text) ? text : `"${text}"`
}
