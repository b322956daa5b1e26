import type { ModelKind } from "../domain/model"
import { isModelKind, KINDS } from "../domain/tasks"
import { withoutPaths } from "../lib/text/without-paths"
import { named, XllmError } from "./base"
import { lastOutput } from "./engine"

export class ModelNotFound extends XllmError {
  constructor(model: string, hint = "") {
    super("model_not_found", 404, `model '${named(model)}' not found${hint}`, { param: "model" })
  }
}

/** A model is not here, and could not be downloaded either. */
export class ModelNotDownloaded extends XllmError {
  /** `missing`: the sentence that says that it is not here. */
  constructor(missing: string, failure: Error) {
    super("model_not_found", 404, `${missing}; ${failure.message}`, { param: "model", cause: failure })
  }
}

/** The model is there, but does something else than was asked of it. The command line names commands, not routes. */
export class WrongModelKind extends XllmError {
  constructor(model: string, kind: ModelKind | keyof typeof OTHER_USES) {
    super("wrong_model_kind", 400, `'${model}' ${useOf(kind)}`, {
      param: "model",
      details: { model_kind: kind },
    })
  }
}

/** What is no kind of its own here: text models that generate no text. */
const OTHER_USES = {
  embedding: "is an embedding model: it generates no text, and nothing else here uses it",
  reranker: "is a reranking model: it generates no text, and nothing else here uses it",
  other: "generates no text by itself, and nothing else here uses it",
} as const

function useOf(kind: ModelKind | keyof typeof OTHER_USES): string {
  return isModelKind(kind) ? `is ${KINDS[kind].noun}; use ${KINDS[kind].routes}` : OTHER_USES[kind]
}

/** A text that cannot be the name of a model. */
export class InvalidModelName extends XllmError {
  /** Why, without the name. */
  readonly reason: string

  constructor(name: string, reason: string) {
    super("invalid_model_name", 400, `invalid model name '${name}': ${reason}`, { param: "model" })
    this.reason = reason
  }
}

/** Files of an installed model are not what they were when it was installed. */
export class ModelCorrupt extends XllmError {
  constructor(model: string, files: readonly string[], cause?: unknown) {
    super(
      "model_corrupt",
      500,
      `model '${model}' is damaged on the disk (${files.join(", ")}); 'xllm pull --repair ${model}' downloads that again`,
      { param: "model", details: { files }, cause },
    )
  }
}

/**
 * The model file could not be loaded; the message carries llama.cpp's own words. `outOfMemory` in the details: less of
 * it (a smaller context, fewer layers on a GPU) might have fitted.
 */
export class ModelLoadFailed extends XllmError {
  /** `lastLines`: of a worker that died in the load; clients are not told of them. */
  constructor(
    model: string,
    reason: string,
    cause?: unknown,
    details?: { readonly outOfMemory: boolean },
    lastLines: readonly string[] = [],
  ) {
    const told = `model '${model}' could not be loaded: ${reason}`
    super("model_load_failed", 500, told + lastOutput(lastLines), {
      publicMessage: withoutPaths(told),
      ...(details !== undefined && { details }),
      cause,
    })
  }
}

/** A file that is not the model file it should be: wrong format, damaged or cut short. */
export class InvalidModelFile extends XllmError {
  /** Why, without the path: for messages that name the model otherwise. */
  readonly reason: string

  constructor(path: string, reason: string) {
    super("invalid_model_file", 500, `${path}: ${reason}`)
    this.reason = reason
  }
}

/** What is wrong in a file of several lines; without a line it is the whole file. */
interface LineFault {
  readonly line?: number
  readonly message: string
}

/** More of them are one fault in truth, such as a file that is something else. */
const MOST_FAULTS = 20

/** One line for each fault, as compilers write them. */
function faultLines(file: string, faults: readonly LineFault[]): string {
  const lines = faults.map(({ line, message }) =>
    line === undefined ? `${file}: ${message}` : `${file}:${line}: ${message}`,
  )
  const rest = lines.length - MOST_FAULTS
  return [...lines.slice(0, MOST_FAULTS), ...(rest > 0 ? [`and ${rest} more`] : [])].join("\n")
}

/** A Modelfile that breaks rules: every fault with its line. */
export class InvalidModelfile extends XllmError {
  /** `file`: its name in the message; `faults`: at least one. */
  constructor(file: string, faults: readonly LineFault[]) {
    super("invalid_modelfile", 400, faultLines(file, faults))
  }
}

/** A Modelfile that keeps all rules, and asks for what cannot be done yet. */
export class UnsupportedModelfile extends XllmError {
  /** `file`: its name in the message; `faults`: at least one. */
  constructor(file: string, faults: readonly LineFault[]) {
    super("unsupported", 400, faultLines(file, faults))
  }
}

/** There is another model of that name already. */
export class ModelExists extends XllmError {
  constructor(model: string, hint: string) {
    super("model_exists", 409, `there is another model '${model}' already; ${hint}`, { param: "model" })
  }
}
