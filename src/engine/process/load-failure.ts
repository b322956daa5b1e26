import { basename } from "node:path"
import { isGguf } from "../../domain/model"
import type { XllmError } from "../../errors/base"
import { withLastOutput, type WorkerCrashed } from "../../errors/engine"
import { ModelLoadFailed } from "../../errors/model"
import { withoutPaths } from "../../lib/text/without-paths"
import type { WorkerModel } from "../../protocol/messages"
import type { ChildEnd } from "./worker-child"
import { textsOfLines, type WorkerLine } from "./worker-lines"

/** llama.cpp's final error for a load; earlier complaints may be ones it recovers from. */
const VERDICT = /\berror loading model: (?!.*failed to load model from)/

/** `llama_model_load: ` and `error loading model: `, prefixes of messages from inside llama.cpp. */
const ORIGIN = /^(?:[a-z_]\w*(?:::\w+)*: )?(?:error loading model: )?/

/** Messages of allocators, for any kind of memory. */
const NO_MEMORY = /alloc|out of (?:\w+ )?memory|not enough memory|insufficient memory/i

/**
 * Finds the cause of a failed load in the lines the worker wrote since the load began: its own error says only that
 * llama.cpp gave up. Where no cause is found, the message includes the last lines, for the log.
 * @param lines oldest first
 */
export function explainLoadFailure(
  error: XllmError,
  model: Pick<WorkerModel, "name" | "kind" | "path">,
  lines: readonly WorkerLine[],
): XllmError {
  const cause = isGguf(model) && error.code === "model_load_failed" ? causeIn(lines, model) : undefined
  // Out of memory, the worker's own error says more: how much was needed, and what may help.
  return cause === undefined || NO_MEMORY.test(cause)
    ? withLastOutput(error, textsOfLines(lines))
    : new ModelLoadFailed(model.name, ofPart(error, cause), error)
}

/** llama.cpp's errors do not say which of the files they are about. */
function ofPart({ details }: XllmError, cause: string): string {
  const part = details?.["part"]
  return typeof part === "string" ? `${part} was refused: ${cause}` : cause
}

/** The error for a load whose worker died before it could report a cause. */
export function crashedInLoad(model: string, { how, lastLines }: ChildEnd, crash: WorkerCrashed): XllmError {
  return new ModelLoadFailed(model, `its worker ${how}`, crash, undefined, lastLines)
}

/** The first error reported by llama.cpp, without function names and folders. */
function causeIn(lines: readonly WorkerLine[], { path }: Pick<WorkerModel, "path">): string | undefined {
  const errors = lines.flatMap((line) => (line.type === "log" && line.level === "error" ? line.text : []))
  const cause = errors.find((text) => VERDICT.test(text)) ?? errors[0]
  return cause && withoutPaths(cause.replace(ORIGIN, "").replaceAll(path, basename(path)))
}
