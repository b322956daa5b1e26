import { isModelKind, KINDS } from "../../domain/tasks"
import { XllmError } from "../../errors/base"
import { UsageError } from "../../errors/cli"

/**
 * For a model that does something else than was asked of it: the command that was meant. Other errors stay as they are.
 * @param given the model as the user wrote it, which may be a path
 */
export function withRightCommand(error: unknown, given: string): unknown {
  if (!(error instanceof XllmError) || error.code !== "wrong_model_kind") return error
  const kind = error.details?.["model_kind"]
  if (typeof kind !== "string" || !isModelKind(kind)) return error
  const { noun, command } = KINDS[kind]
  return new UsageError(`'${given}' is ${noun}; use 'xllm ${command.replace("MODEL", () => asWord(given))}'`)
}

/** As a shell takes it for one word. */
function asWord(text: string): string {
  return /^[\w./:@+~-]+$/.test(text) ? text : `"${text}"`
}
