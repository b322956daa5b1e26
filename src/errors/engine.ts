import { isDiskFull } from "../lib/system/disk-full"
import { formatSeconds } from "../lib/text/duration"
import { withoutPaths } from "../lib/text/without-paths"
import { inGigabytes, reasonOf, XllmError, type XllmErrorOptions } from "./base"

/** A model needs more memory than it could ever get here; the message gives both sizes. */
export class NotEnoughMemory extends XllmError {
  /** `where`: the kind of memory, as in "system memory"; `why`: a remedy or an obstacle. */
  constructor(
    model: string,
    where: string,
    neededBytes: number,
    availableBytes: number,
    why: string,
    details: XllmErrorOptions["details"] = {},
  ) {
    super(
      "not_enough_memory",
      507,
      `model '${model}' needs ${inGigabytes(neededBytes)} of ${where}, ` +
        `but at most ${inGigabytes(availableBytes)} is available: ${why}`,
      {
        details: {
          needed_bytes: Math.ceil(neededBytes),
          available_bytes: Math.floor(availableBytes),
          ...details,
        },
      },
    )
  }
}

/** Neither a larger KV cache nor the one before could be made: there is nothing to compute with. */
export class KvCacheLost extends XllmError {
  constructor(model: string) {
    super(
      "not_enough_memory",
      507,
      `model '${model}' lost its KV cache: it was to be made larger, and there was no memory left for the new one, nor ` +
        "for the old one again; the next request loads the model anew",
    )
  }
}

/** What a slot has cached could not be written to disk. The message begins as in llama-server. */
export class SlotNotSaved extends XllmError {
  constructor(why: string) {
    super("slot_not_saved", 500, `Unable to save slot: ${why}`)
  }
}

/** A saved prompt could not be loaded into a slot. The message begins as in llama-server. */
export class SlotNotRestored extends XllmError {
  constructor(why: string) {
    super("slot_not_restored", 400, `Unable to restore slot: ${why}`)
  }
}

/** Slots can be saved and restored only where prompts are kept on disk. */
export class PromptsNotKept extends XllmError {
  constructor() {
    super(
      "prompts_not_kept",
      501,
      "This server does not support slots action: prompts are not kept on disk (kv_disk.enabled, or --no-kv-disk)",
    )
  }
}

/** The maximum number of models is loaded, and all are pinned. */
export class TooManyModels extends XllmError {
  constructor(model: string, limit: number) {
    super(
      "too_many_models",
      507,
      `model '${model}' cannot be loaded: the limit is ${limit} loaded models, and all of them are pinned`,
      { details: { max_models: limit } },
    )
  }
}

/** The server is shutting down, or the model is being stopped. */
export class ShuttingDown extends XllmError {
  constructor(what: string) {
    super("stopping", 503, `${what} is stopping`, { retryAfterSeconds: 1 })
  }
}

/** Settings that no model, or not this one, can be loaded with; the message says which and what to set. */
export class InvalidSettings extends XllmError {
  constructor(fault: string, model?: string) {
    super(
      "invalid_settings",
      500,
      model === undefined ? fault : `model '${model}' cannot be loaded: ${fault}`,
    )
  }
}

/** The same worker failure with the worker's last log lines in the message; clients do not see them. */
export function withLastOutput(error: XllmError, lastLines: readonly string[]): XllmError {
  if (lastLines.length === 0) return error
  const { cause, publicMessage } = error
  const message = error.message + lastOutput(lastLines)
  return new XllmError(error.code, error.status, message, { ...error.toWire(), publicMessage, cause })
}

/** A worker's last output, to follow a sentence about its end. */
export function lastOutput(lines: readonly string[]): string {
  return lines.length === 0 ? "" : `; last output: ${lines.join(" | ")}`
}

/**
 * A worker process ended while it had requests; the message includes its last log lines, which clients do not see.
 */
export class WorkerCrashed extends XllmError {
  constructor(model: string, how: string, lastLines: readonly string[]) {
    const publicMessage = `the worker of model '${model}' ${how}`
    super("worker_crashed", 500, publicMessage + lastOutput(lastLines), { publicMessage })
  }
}

/** A worker process sent no heartbeat within the limit, and was ended. */
export class WorkerUnresponsive extends XllmError {
  /** `doing`: its activity, as in "while loading". */
  constructor(model: string, doing: string, limitMs: number, lastLines: readonly string[]) {
    const publicMessage =
      `the worker of model '${model}' made no progress ${doing} for longer than the limit of ${formatSeconds(limitMs)} ` +
      "and was killed"
    super("worker_unresponsive", 500, publicMessage + lastOutput(lastLines), { publicMessage })
  }
}

/** The model's chat template failed, or exceeded its time limit. */
export class TemplateFailed extends XllmError {
  /** The template rejected the conversation in its own words, as opposed to what it cannot do. */
  readonly isRefusal: boolean

  constructor(reason: string, isRefusal = false) {
    super("template_failed", 400, `the model's chat template could not be applied: ${reason}`, {
      param: "messages",
    })
    this.isRefusal = isRefusal
  }
}

/** llama.cpp could not compute a step. */
export class DecodeFailed extends XllmError {
  constructor(reason: string) {
    super("decode_failed", 500, `a decode step failed: ${reason}`)
  }
}

/** An answer cannot go on within the grammar that its request demands. */
export class ConstraintFailed extends XllmError {
  constructor(reason: string) {
    super("constraint_failed", 500, `the answer cannot be kept within its schema or grammar: ${reason}`)
  }
}

/** A model's output is NaN or infinite, so no token can be sampled from it. */
export class NotNumbers extends DecodeFailed {
  constructor() {
    super(
      "its output is not a number (NaN or infinite); the file may be damaged, or values overflow on this device " +
        "(try --gpu-layers 0, or --cache-type-k and --cache-type-v f32)",
    )
  }
}

/**
 * The speech engine failed to transcribe a part of a recording; the message includes its own error, for the log.
 * Clients know it by its code, which stays as it is; the same holds for the next two.
 */
export class TranscriptionFailed extends XllmError {
  constructor(reason: string) {
    super("recognition_failed", 500, `the audio could not be transcribed: ${reason}`, {
      publicMessage: "the audio could not be transcribed: the speech engine failed on it",
    })
  }
}

/** stable-diffusion.cpp failed to generate an image. */
export class ImageGenerationFailed extends XllmError {
  constructor(reason: string) {
    super("drawing_failed", 500, `image generation failed: ${reason}`)
  }
}

/** The native libraries are missing, or not those that this build requires. */
export class NativeLibraryError extends XllmError {
  /** `lastLines`: output of the process that failed. */
  constructor(reason: string, cause?: unknown, lastLines: readonly string[] = []) {
    super("runtime_broken", 500, reason + lastOutput(lastLines), {
      publicMessage: withoutPaths(reason),
      cause,
    })
  }
}

/** A server cannot write one of its own files. The path is only logged: clients have no use for it. */
export class StorageFailed extends XllmError {
  /** `what`: as in "the image" */
  constructor(what: string, cause: unknown) {
    const [code, status] = isDiskFull(cause)
      ? (["disk_full", 507] as const)
      : (["storage_failed", 500] as const)
    super(code, status, `the server cannot store ${what}: ${reasonOf(cause)}`, { cause })
  }
}
