import { basename } from "node:path"
import type { XllmError } from "../../errors/base"
import { withLastOutput, type WorkerCrashed } from "../../errors/engine"
import { ModelLoadFailed } from "../../errors/model"
import { withoutPaths } from "../../lib/text/without-paths"
import type { WorkerModel } from "../../protocol/messages"
import type { ChildEnd } from "./worker-child"
import { textsOfLines, type WorkerLine } from "./worker-lines"

/** Why llama.cpp gives a load up; what comes before it may be complaints that it goes on after. */
const VERDICT = /\berror loading model: (?!.*failed to load model from)/

/** `llama_model_load: ` and `error loading model: `, where a message comes from inside of llama.cpp. */
const ORIGIN = /^(?:[a-z_]\w*(?:::\w+)*: )?(?:error loading model: )?/

/** What allocators say, whatever they are of. */
const NO_MEMORY = /alloc|out of (?:\w+ )?memory|not enough memory|insufficient memory/i

/**
 * What a load failed for, told by what the worker wrote since it began to load: its own words say only that llama.cpp
 * gave up. Where there is no such cause the message has what it wrote last, for the log.
 * @param lines oldest first
 */
export function explainLoadFailure(
  error: XllmError,
  model: Pick<WorkerModel, "name" | "kind" | "path">,
  lines: readonly WorkerLine[],
): XllmError {
  const cause =
    model.kind === "text" && error.code === "model_load_failed" ? causeIn(lines, model) : undefined
  // For want of memory the worker's own words say more: how much was wanted, and what may help.
  return cause === undefined || NO_MEMORY.test(cause)
    ? withLastOutput(error, textsOfLines(lines))
    : new ModelLoadFailed(model.name, cause, error)
}

/** A load whose worker died before it could say why. */
export function crashedInLoad(model: string, { how, lastLines }: ChildEnd, crash: WorkerCrashed): XllmError {
  return new ModelLoadFailed(model, `its worker ${how}`, crash, undefined, lastLines)
}

/** The first error that llama.cpp reported, without its functions and folders. */
function causeIn(lines: readonly WorkerLine[], { path }: Pick<WorkerModel, "path">): string | undefined {
  const errors = lines.flatMap((line) => (line.type === "log" && line.level === "error" ? line.text : []))
  const cause = errors.find((text) => VERDICT.test(text)) ?? errors[0]
  return cause && withoutPaths(cause.replace(ORIGIN, "").replaceAll(path, basename(path)))
}
