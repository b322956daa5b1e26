import { PART_ROLES, type PartRole } from "../domain/attached-parts"
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

/** A model is not present and could not be downloaded either. */
export class ModelNotDownloaded extends XllmError {
  /** `missing`: the sentence that reports it missing. */
  constructor(missing: string, failure: Error) {
    super("model_not_found", 404, `${missing}; ${failure.message}`, { param: "model", cause: failure })
  }
}

/**
 * The model exists, but is of another kind than the request needs. The command line names commands instead of
 * routes.
 */
export class WrongModelKind extends XllmError {
  constructor(model: string, kind: ModelKind | keyof typeof OTHER_USES) {
    super("wrong_model_kind", 400, `'${model}' ${useOf(kind)}`, {
      param: "model",
      details: { model_kind: kind },
    })
  }
}

/** A model that ranks no texts was asked to. */
export class NoReranker extends XllmError {
  constructor(model: string) {
    super("unsupported", 400, `model '${model}' does not rank texts; use a reranking model`, {
      param: "model",
    })
  }
}

/** What is no kind of its own here: text models that generate no text. */
const OTHER_USES = {
  other: "generates no text by itself, and xLLM has no other use for it",
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

/** The files of an installed model that are missing or have changed since it was installed. */
export interface ModelDamage {
  readonly files: readonly { readonly name: string; readonly role?: PartRole }[]
  /** It was downloaded, and so can be again. */
  readonly canRepair: boolean
}

/** @see ModelDamage */
export class ModelCorrupt extends XllmError {
  constructor(model: string, { files, canRepair }: ModelDamage, cause?: unknown) {
    const named = files.map(({ name, role }) =>
      role === undefined ? name : `${PART_ROLES[role].label} ${name}`,
    )
    const advice = canRepair
      ? `repair it with 'xllm pull --repair ${model}'`
      : "it was not downloaded: create or import it again"
    super("model_corrupt", 500, `model '${model}' is damaged on disk (${named.join(", ")}); ${advice}`, {
      param: "model",
      details: { files: files.map(({ name }) => name), can_repair: canRepair },
      cause,
    })
  }
}

/** What the engine knows of a failed load. */
interface LoadFailureDetails {
  readonly outOfMemory: boolean
  /** The part of the model that was refused, such as `its adapter 'style.gguf'`; absent: its weights. */
  readonly part?: string
}

/**
 * The model file could not be loaded; the message includes llama.cpp's own error. `outOfMemory` in the details: a
 * smaller load (context, layers on a GPU) might have fitted.
 */
export class ModelLoadFailed extends XllmError {
  /** `lastLines`: output of a worker that died during the load; clients do not see it. */
  constructor(
    model: string,
    reason: string,
    cause?: unknown,
    details?: LoadFailureDetails,
    lastLines: readonly string[] = [],
  ) {
    const message = `model '${model}' could not be loaded: ${reason}`
    super("model_load_failed", 500, message + lastOutput(lastLines), {
      publicMessage: withoutPaths(message),
      ...(details !== undefined && { details: { ...details } }),
      cause,
    })
  }
}

/** An adapter that a request names could not be loaded; clients do not see paths. */
export class AdapterLoadFailed extends XllmError {
  constructor(adapter: string, model: string, reason: string, cause?: unknown) {
    const message = `adapter '${named(adapter)}' could not be loaded for model '${named(model)}': ${reason}`
    super("adapter_load_failed", 500, message, { publicMessage: withoutPaths(message), param: "lora", cause })
  }
}

/** Another adapter of that name is in the folder of adapters. */
export class AdapterExists extends XllmError {
  constructor(adapter: string) {
    super(
      "model_exists",
      409,
      `another adapter '${named(adapter)}' exists; 'xllm rm ${named(adapter)}' deletes it`,
    )
  }
}

/** A request names an adapter that there is none of, or that is for other models. */
export class AdapterNotFound extends XllmError {
  /** `hint`: what there is, or what to do. */
  constructor(adapter: string | number, model: string, hint: string) {
    const called = typeof adapter === "number" ? `with the id ${adapter}` : `'${named(adapter)}'`
    super("adapter_not_found", 404, `model '${named(model)}' has no adapter ${called}${hint}`, {
      param: "lora",
    })
  }
}

/** A file that is not the expected model file: wrong format, damaged or truncated. */
export class InvalidModelFile extends XllmError {
  /** Why, without the path: for messages that name the model in another way. */
  readonly reason: string

  constructor(path: string, reason: string) {
    super("invalid_model_file", 500, `${path}: ${reason}`)
    this.reason = reason
  }
}

/** A fault in a file of several lines; without a line it concerns the whole file. */
interface LineFault {
  readonly line?: number
  readonly message: string
}

/** More than this usually have one cause, such as the wrong kind of file. */
const MOST_FAULTS = 20

/** One line per fault, in the format of compilers. */
function faultLines(file: string, faults: readonly LineFault[]): string {
  const lines = faults.map(({ line, message }) =>
    line === undefined ? `${file}: ${message}` : `${file}:${line}: ${message}`,
  )
  const rest = lines.length - MOST_FAULTS
  return [...lines.slice(0, MOST_FAULTS), ...(rest > 0 ? [`and ${rest} more`] : [])].join("\n")
}

/** An invalid Modelfile: every fault with its line. */
export class InvalidModelfile extends XllmError {
  /** `file`: its name in the message; `faults`: at least one. */
  constructor(file: string, faults: readonly LineFault[]) {
    super("invalid_modelfile", 400, faultLines(file, faults), {
      details: { faults: faults.slice(0, MOST_FAULTS) },
    })
  }
}

/** A valid Modelfile that needs something not supported yet. */
export class UnsupportedModelfile extends XllmError {
  /** `file`: its name in the message; `faults`: at least one. */
  constructor(file: string, faults: readonly LineFault[]) {
    super("unsupported", 400, faultLines(file, faults))
  }
}

/** Another model of that name exists. */
export class ModelExists extends XllmError {
  constructor(model: string, hint: string) {
    super("model_exists", 409, `a model '${model}' already exists; ${hint}`, { param: "model" })
  }
}
