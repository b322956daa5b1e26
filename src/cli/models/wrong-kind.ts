import { isModelKind, KINDS } from "../../domain/tasks"
import { XllmError } from "../../errors/base"
import { UsageError } from "../../errors/cli"

/**
 * For a model of the wrong kind, returns an error naming the right command. Other errors are returned unchanged.
 * @param given the model as typed by the user, which may be a path
 */
export function withRightCommand(error: unknown, given: string): unknown {
  if (!(error instanceof XllmError) || error.code !== "wrong_model_kind") return error
  const kind = error.details?.["model_kind"]
  if (typeof kind !== "string" || !isModelKind(kind)) return error
  const { noun, command } = KINDS[kind]
  return new UsageError(`'${given}' is ${noun}; use 'xllm ${command.replace("MODEL", () => asWord(given))}'`)
}

/** Quotes text as a single shell word. */
function asWord(text: string): string {
  return /^[\w./:@+~-]+$/.test(text) ? text : `"${text}"`
}
