import { isDiskFull } from "./lib/disk-full"
import { formatSize } from "./lib/bytes"
import { formatSeconds } from "./lib/duration"
import { systemCode, systemPath, systemReason } from "./lib/system-reason"
import { withoutPaths } from "./lib/without-paths"
import { shorten } from "./lib/shorten"
import { SHOWN } from "./limits"

/** Fields of an {@link XllmError} that are optional. */
export interface XllmErrorOptions {
  /** The request field at fault, as the client spelled it. */
  readonly param?: string
  /** For 503: when the client may try again, in seconds. */
  readonly retryAfterSeconds?: number
  /** Extra facts for the error body, such as both numbers of a limit that was passed. */
  readonly details?: Readonly<Record<string, unknown>>
  /**
   * What clients of a server are told in place of the message, which the log and the local command line have; absent:
   * the message, of a fault of the server's without the folders in it.
   */
  readonly publicMessage?: string
  readonly cause?: unknown
}

/** An {@link XllmError} as plain data, for crossing from a worker to the server process. */
export interface WireError {
  readonly code: string
  readonly status: number
  readonly message: string
  readonly param?: string
  readonly retryAfterSeconds?: number
  readonly details?: Readonly<Record<string, unknown>>
  readonly publicMessage?: string
  /** Of a defect: where it came from, for the log alone. */
  readonly trace?: string
}

/**
 * Every failure that a user can see. `code` is stable and machine-readable, `status` is the HTTP status that fits
 * it. Only `http/plugins/errors.ts` and `cli/main.ts` turn one into output.
 */
export class XllmError extends Error {
  readonly code: string
  readonly status: number
  readonly param: string | undefined
  readonly retryAfterSeconds: number | undefined
  readonly details: Readonly<Record<string, unknown>> | undefined
  /** What clients of a server are told: neither where its files are nor what its workers have written. */
  readonly publicMessage: string

  constructor(code: string, status: number, message: string, options: XllmErrorOptions = {}) {
    // Whatever it repeats: it is sent, logged and shown on terminals.
    super(shorten(message, SHOWN.message), options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.status = status
    this.param = options.param
    this.retryAfterSeconds = options.retryAfterSeconds
    this.details = options.details
    this.publicMessage = options.publicMessage ?? (status >= 500 ? withoutPaths(message) : message)
  }

  /** Plain data that {@link fromWire} turns back into an error with the same meaning. */
  toWire(): WireError {
    const { code, status, message, param, retryAfterSeconds, details, publicMessage } = this
    const trace = traceOf(this)
    return {
      code,
      status,
      message,
      ...(publicMessage !== message && { publicMessage }),
      ...(param !== undefined && { param }),
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
      ...(details !== undefined && { details }),
      ...(trace !== undefined && { trace }),
    }
  }
}

/** The error that {@link XllmError.toWire} described. */
export function fromWire({ code, status, message, trace, ...options }: WireError): XllmError {
  const cause = trace === undefined ? undefined : Object.assign(new Error(message), { stack: trace })
  return new XllmError(code, status, message, { ...options, cause })
}

/**
 * `error` itself if it is ours; otherwise one that may be shown, with it as cause. What a library or the language threw
 * says nothing to a user, and may say what only the log should know: see {@link traceOf}.
 */
export function asXllmError(error: unknown): XllmError {
  if (error instanceof XllmError) return error
  return systemReason(error) === undefined
    ? new InternalError("internal error", error)
    : new SystemFailed(error)
}

/** Where a defect behind an error came from, for logs and reports; `undefined` for a failure that was foreseen. */
export function traceOf(error: unknown): string | undefined {
  let isInternal = false
  for (let one = error; one instanceof Error; one = one.cause) {
    if (one instanceof XllmError) isInternal = one.code === "internal_error"
    else if (isInternal || isDefect(one)) return one.stack ?? one.message
  }
  return undefined
}

/**
 * Why something failed, in words that follow "cannot read FILE: ": ours as they are, the system's translated, of a
 * library its first line without codes. What a library did not mean for anybody, such as a TypeError, tells nothing.
 */
export function reasonOf(error: unknown): string {
  if (error instanceof XllmError) return error.message
  const known = systemReason(error)
  if (known !== undefined) return known
  if (!(error instanceof Error)) return "the reason is not known"
  if (isDefect(error)) return "an internal error"
  const [line = ""] = error.message.split("\n")
  const bare = line.replace(CODE, "").replace(CALL, "").replace(PARSER, "").trim()
  return bare === "" ? "the reason is not known" : bare
}

/** {@link reasonOf} behind the path that it is about, where the system tells one. */
export function placeAndReason(error: unknown): string {
  const path = systemPath(error instanceof SystemFailed ? error.cause : error)
  const reason = reasonOf(error instanceof SystemFailed ? error.cause : error)
  return path === undefined ? reason : `${path}: ${reason}`
}

/** Is it what the runtime throws where a program is wrong? `fetch` has TypeErrors of its own, with codes. */
function isDefect(error: Error): boolean {
  return (
    DEFECTS.has(error.name) &&
    (systemCode(error) ?? "ERR_").startsWith("ERR_") &&
    systemReason(error) === undefined
  )
}

const DEFECTS = new Set([
  "TypeError",
  "ReferenceError",
  "RangeError",
  "URIError",
  "EvalError",
  "AssertionError",
])

/** `EBADF: ` and `TAR_BAD_ARCHIVE: ` before the words, and `, open '/path'` behind them. */
const CODE = /^([A-Za-z]*Error|E[A-Z0-9]+|[A-Z][A-Z0-9]*(_[A-Z0-9]+)+):\s+/
const CALL = /, [a-z]+( '[^']*'( -> '[^']*')?)?$/
const PARSER = /^(JSON|YAML) Parse error:\s+/

/** A request that breaks a rule; the message names the field, the rule and the value given. */
export class InvalidRequest extends XllmError {
  constructor(message: string, param?: string) {
    super("invalid_request_error", 400, message, param === undefined ? {} : { param })
  }
}

/** A request for something that this build cannot do (yet). */
export class Unsupported extends XllmError {
  constructor(message: string, param?: string) {
    super("unsupported", 400, message, param === undefined ? {} : { param })
  }
}

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
  constructor(model: string, kind: keyof typeof USES) {
    super("wrong_model_kind", 400, `'${model}' ${USES[kind]}`, {
      param: "model",
      details: { model_kind: kind },
    })
  }
}

/** A name or a path that somebody has sent, as messages repeat it. */
function named(text: string): string {
  return shorten(text, SHOWN.name)
}

/** What models of each kind are, and where they are asked. */
const USES = {
  text: "is a text model; use POST /v1/chat/completions or POST /v1/completions",
  voice: "is a text-to-speech model; use POST /v1/audio/speech",
  recognizer: "is a speech-to-text model; use POST /v1/audio/transcriptions",
  image: "is an image model; use POST /v1/images/generations",
  embedding: "is an embedding model: it generates no text, and nothing else here uses it",
  reranker: "is a reranking model: it generates no text, and nothing else here uses it",
  other: "generates no text by itself, and nothing else here uses it",
} as const

/** A text that cannot be the name of a model. */
export class InvalidModelName extends XllmError {
  /** Why, without the name. */
  readonly reason: string

  constructor(name: string, reason: string) {
    super("invalid_model_name", 400, `invalid model name '${name}': ${reason}`, { param: "model" })
    this.reason = reason
  }
}

export class NotFound extends XllmError {
  /** `likeliest`: the route that was probably meant. */
  constructor(method: string, path: string, likeliest?: string) {
    const hint = likeliest === undefined ? "" : `; did you mean ${likeliest}?`
    super("not_found", 404, `no such route: ${method} ${shortened(path)}${hint}`)
  }
}

/** A path as a message has it: any length may be asked for. */
function shortened(path: string): string {
  return path.length > 200 ? `${path.slice(0, 200)}…` : path
}

/** A generated image whose time is over, or that never was. */
export class ImageNotFound extends XllmError {
  constructor() {
    super(
      "image_not_found",
      404,
      "there is no such image: it was deleted when its time was over, or never was",
    )
  }
}

/** The path exists, but not for this method. */
export class MethodNotAllowed extends XllmError {
  /** The methods that the path has. */
  readonly allowed: readonly string[]

  constructor(method: string, path: string, allowed: readonly string[]) {
    super(
      "method_not_allowed",
      405,
      `${shortened(path)} does not accept ${method}, only ${allowed.join(", ")}`,
    )
    this.allowed = allowed
  }
}

/** The request is addressed to a host that the server does not answer for, as in an attack by DNS rebinding. */
export class HostNotAllowed extends XllmError {
  constructor(host: string) {
    super(
      "host_not_allowed",
      403,
      `the server does not answer for the host '${named(host)}'; server.allowed_hosts lists further names of it`,
    )
  }
}

/** A web page that may not call the server has sent something to it. */
export class OriginNotAllowed extends XllmError {
  /** `origin`: absent where the browser does not tell it. */
  constructor(origin?: string) {
    const pages = origin === undefined ? "pages of other sites" : `pages of '${origin}'`
    super(
      "origin_not_allowed",
      403,
      `${pages} may not use the server; server.cors_origins lists pages that may`,
    )
  }
}

/** The request has none of the server's API keys. */
export class InvalidApiKey extends XllmError {
  constructor(isGiven: boolean) {
    super(
      "invalid_api_key",
      401,
      isGiven
        ? "the API key is not one of the server's"
        : "an API key is required, as 'Authorization: Bearer KEY' or 'x-api-key: KEY'",
    )
  }
}

/** The server cannot have the address (or the socket's path) that it was told to listen on. */
export class CannotListen extends XllmError {
  constructor(address: string, reason: string, cause?: unknown) {
    super("cannot_listen", 500, `cannot listen on ${address}: ${reason}`, { cause })
  }
}

/**
 * The prompt is longer than the context that the model was loaded with. The message begins as OpenAI's newest one does:
 * litellm (and aider with it) and LangChain recognise a full context by these words, not by the code.
 */
export class ContextLengthExceeded extends XllmError {
  /** `field`: the request's field with the text. A lower bound: the text was refused by its length alone. */
  constructor(
    promptTokens: number,
    contextLength: number,
    field: "messages" | "prompt",
    isLowerBound = false,
  ) {
    super(
      "context_length_exceeded",
      400,
      `Input tokens exceed the configured limit of ${contextLength} tokens: ` +
        `the prompt has ${isLowerBound ? "at least " : ""}${promptTokens}; ` +
        "shorten it, or load the model with a larger context (--ctx)",
      { param: field, details: { n_prompt_tokens: promptTokens, n_ctx: contextLength } },
    )
  }
}

export class PayloadTooLarge extends XllmError {
  constructor(limitBytes: number) {
    super("payload_too_large", 413, `the request body is larger than ${formatSize(limitBytes)}`)
  }
}

/** The request's body is compressed in a way that nobody here can undo. */
export class UnsupportedEncoding extends XllmError {
  /** The encodings that are read, as an Accept-Encoding has them. */
  static readonly accepted = "gzip, deflate, br, zstd"

  constructor(encoding: string) {
    super(
      "unsupported_encoding",
      415,
      `the request body's Content-Encoding '${encoding.slice(0, 40)}' is not supported; ` +
        `send it as one of ${UnsupportedEncoding.accepted}, or as it is`,
    )
  }
}

export class QueueFull extends XllmError {
  constructor(model: string, limit: number, retryAfterSeconds: number) {
    super("queue_full", 503, `${limit} requests are waiting for model '${model}' already; try again later`, {
      retryAfterSeconds,
    })
  }
}

/** A request waited for its start longer than it, or the server, allows. */
export class QueueTimeout extends XllmError {
  constructor(model: string, limitMs: number, retryAfterSeconds: number) {
    super(
      "queue_timeout",
      503,
      `the request waited longer than ${formatSeconds(limitMs)} for model '${model}'`,
      {
        retryAfterSeconds,
        details: { queue_timeout_seconds: limitMs / 1000 },
      },
    )
  }
}

/** A model needs more memory than it could ever get here; the message names both sizes. */
export class NotEnoughMemory extends XllmError {
  /** `where`: what the sizes are of, as in "system memory"; `why`: what could be done, or what is in the way. */
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
        `but at most ${inGigabytes(availableBytes)} can be had: ${why}`,
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

/** A download cannot go on; what came stays, so that the same command goes on with it. */
export class DownloadFailed extends XllmError {
  constructor(what: string, reason: string, cause?: unknown) {
    super("download_failed", 502, `${what} cannot be downloaded: ${reason}`, { cause })
  }
}

/** Somebody has ended a download. */
export class PullStopped extends XllmError {
  constructor(models: string) {
    super("cancelled", 499, `stopped; what was downloaded is kept, and 'xllm pull ${models}' goes on with it`)
  }
}

/** A source wants to know who asks, or does not let them in. */
export class NotAuthorized extends XllmError {
  constructor(what: string, reason: string, cause?: unknown) {
    super("not_authorized", 403, `${what} cannot be had: ${reason}`, { cause })
  }
}

/** What came is not what its source declares; it has been deleted. */
export class ChecksumMismatch extends XllmError {
  constructor(what: string, declared: string, actual: string) {
    super(
      "checksum_mismatch",
      502,
      `${what} is damaged or not what its source declares: its checksum is ${actual}, not ${declared}; it was deleted`,
      { details: { declared, actual } },
    )
  }
}

/** A disk, or a limit for files, became full during a download. */
export class NoRoomLeft extends XllmError {
  constructor(folder: string, cause: unknown) {
    super(
      "disk_full",
      507,
      `no disk space left in ${folder}; what was downloaded is kept: free some space, and run the same command again`,
      { cause },
    )
  }
}

/** A file was to be signed, and is not, or not by anybody who is trusted. */
export class SignatureRefused extends XllmError {
  constructor(what: string, reason: string) {
    super("signature_refused", 403, `${what} is refused: ${reason}`)
  }
}

/** What was to be trusted is no public key. */
export class InvalidKey extends XllmError {
  /** `from`: the file, as messages call it. */
  constructor(from: string, reason: string, cause?: unknown) {
    super("invalid_key", 400, `${from} has no OpenPGP public key that can be read: ${reason}`, { cause })
  }
}

export class KeyNotFound extends XllmError {
  constructor(id: string, isAmbiguous: boolean) {
    const reason = isAmbiguous ? "several trusted keys end with" : "no trusted key ends with"
    super("key_not_found", 404, `${reason} '${id}'; 'xllm keys list' shows them`)
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

/** As many models as may be loaded are pinned. */
export class TooManyModels extends XllmError {
  constructor(model: string, limit: number) {
    super(
      "too_many_models",
      507,
      `model '${model}' cannot be loaded: at most ${limit} may be, and those that are loaded are pinned`,
      { details: { max_models: limit } },
    )
  }
}

function inGigabytes(bytes: number): string {
  const gigabytes = Math.max(0, bytes) / 1024 ** 3
  return gigabytes < 1 ? `${Math.round(gigabytes * 1024)} MiB` : `${gigabytes.toFixed(1)} GiB`
}

/** The server is shutting down, or the model is being stopped. */
export class Stopping extends XllmError {
  constructor(what: string) {
    super("stopping", 503, `${what} is stopping`, { retryAfterSeconds: 1 })
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

/** Settings that no model, or this one, can be loaded with; the message says which and what to set. */
export class InvalidSettings extends XllmError {
  constructor(fault: string, model?: string) {
    super(
      "invalid_settings",
      500,
      model === undefined ? fault : `model '${model}' cannot be loaded: ${fault}`,
    )
  }
}

/** The same failure of a worker; the message carries its last log lines besides, clients are not told of them. */
export function withLastOutput(error: XllmError, lastLines: readonly string[]): XllmError {
  if (lastLines.length === 0) return error
  const { cause, publicMessage } = error
  const message = error.message + lastOutput(lastLines)
  return new XllmError(error.code, error.status, message, { ...error.toWire(), publicMessage, cause })
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

/** What a worker has written last, to follow a sentence about its end. */
function lastOutput(lines: readonly string[]): string {
  return lines.length === 0 ? "" : `; last output: ${lines.join(" | ")}`
}

/** A worker process ended under its requests; the message carries its last log lines, clients are not told of them. */
export class WorkerCrashed extends XllmError {
  constructor(model: string, how: string, lastLines: readonly string[]) {
    const publicMessage = `the worker of model '${model}' ${how}`
    super("worker_crashed", 500, publicMessage + lastOutput(lastLines), { publicMessage })
  }
}

/** A worker process gave no sign of life for longer than it may, and was ended. */
export class WorkerUnresponsive extends XllmError {
  /** `doing`: what it was at, as in "while loading". */
  constructor(model: string, doing: string, limitMs: number, lastLines: readonly string[]) {
    const publicMessage =
      `the worker of model '${model}' was silent ${doing} for longer than the limit of ${formatSeconds(limitMs)} ` +
      "and was ended"
    super("worker_unresponsive", 500, publicMessage + lastOutput(lastLines), { publicMessage })
  }
}

/** The model's chat template failed, or took longer than it may. */
export class TemplateFailed extends XllmError {
  constructor(reason: string) {
    super("template_failed", 400, `the model's chat template could not be applied: ${reason}`, {
      param: "messages",
    })
  }
}

/** llama.cpp could not compute a step. */
export class DecodeFailed extends XllmError {
  constructor(reason: string) {
    super("decode_failed", 500, `the model could not compute a step: ${reason}`)
  }
}

/** A model's output is NaN or infinite, so that no token can be chosen from it. */
export class NotNumbers extends DecodeFailed {
  constructor() {
    super(
      "its output is not a number (NaN or infinite); the file may be damaged, or values overflow on this device " +
        "(try --gpu-layers 0, or --cache-type-k and --cache-type-v f32)",
    )
  }
}

/** The speech engine could not write down a stretch of a recording; the message carries its own words, for the log. */
export class RecognitionFailed extends XllmError {
  constructor(reason: string) {
    super("recognition_failed", 500, `the recording could not be written down: ${reason}`, {
      publicMessage: "the recording could not be written down: the speech engine failed on it",
    })
  }
}

/** stable-diffusion.cpp could not make a picture. */
export class DrawingFailed extends XllmError {
  constructor(reason: string) {
    super("drawing_failed", 500, `the model could not make the picture: ${reason}`)
  }
}

/** The native libraries are missing, or not the ones that this build was written for. */
export class RuntimeBroken extends XllmError {
  /** `lastLines`: of the process that it was found in. */
  constructor(reason: string, cause?: unknown, lastLines: readonly string[] = []) {
    super("runtime_broken", 500, reason + lastOutput(lastLines), {
      publicMessage: withoutPaths(reason),
      cause,
    })
  }
}

/** The request was given up by its client; nobody is there to read the message. */
export class Cancelled extends XllmError {
  constructor() {
    super("cancelled", 499, "the request was cancelled")
  }
}

/** A client keeps its connection and does not read what is sent to it: it counts as one that has disconnected. */
export class ClientStalled extends XllmError {
  /** `stalledMs`: how long nothing has been taken; absent where it was taken too slowly. */
  constructor(unsentBytes: number, stalledMs?: number) {
    const unsent = `${(unsentBytes / 1024 ** 2).toFixed(1)} MB were unsent`
    const message =
      stalledMs === undefined
        ? `the client reads too slowly: ${unsent}`
        : `the client stopped reading: ${unsent}, and nothing was taken for ${Math.round(stalledMs / 1000)} s`
    super("client_stalled", 499, message)
  }
}

/** No xLLM server answers where a command looks for one. */
export class ServerUnreachable extends XllmError {
  constructor(url: string, cause?: unknown) {
    // That nobody listens is what it looks like; anything else has another remedy.
    const isAbsent = cause === undefined || ["ECONNREFUSED", "ENOENT"].includes(systemCode(cause) ?? "")
    const why = isAbsent ? "; start one with 'xllm serve'" : `: ${reasonOf(cause)}`
    super("server_unreachable", 503, `could not connect to a server at ${url}${why}`, { cause })
  }
}

/** What answers a command is no xLLM server, or broke its word. */
export class BadServerAnswer extends XllmError {
  constructor(url: string, what: string) {
    super("bad_server_answer", 502, `the server at ${url} ${what}`)
  }
}

/** Wrong use of a command; the command line prints it with a hint. */
export class UsageError extends XllmError {
  constructor(message: string) {
    super("usage", 400, message)
  }
}

/** Another process has been changing the models folder for longer than anything takes. */
export class StoreBusy extends XllmError {
  constructor(folder: string) {
    super("store_busy", 503, `another process is changing the models in ${folder}; try again later`, {
      retryAfterSeconds: 5,
    })
  }
}

/** Nothing can be written where models are kept. */
export class ModelsFolderUnwritable extends XllmError {
  constructor(folder: string, cause: unknown) {
    // To the system making a folder where a file is, is making it twice.
    const reason = systemCode(cause) === "EEXIST" ? "it is not a folder" : reasonOf(cause)
    super(
      "models_folder_unwritable",
      500,
      `cannot write to the models directory ${folder}: ${reason}; make it writable, or choose another one ` +
        "with --models-dir",
      { cause },
    )
  }
}

/** A description of a model that this version cannot use. */
export class InvalidManifest extends XllmError {
  constructor(reason: string, cause?: unknown) {
    super("invalid_manifest", 400, `the manifest is not valid: ${reason}`, { cause })
  }
}

/** A file that a command was to write, read or delete could not be. */
export class FileFailed extends XllmError {
  /** `what`: as in "write" */
  constructor(what: string, path: string, cause: unknown) {
    const [code, status] = isDiskFull(cause) ? (["disk_full", 507] as const) : (["file_failed", 400] as const)
    super(code, status, `cannot ${what} ${path}: ${reasonOf(cause)}`, { cause })
  }
}

/** A server cannot write a file of its own. Where that is, is in the log: clients have no use for its paths. */
export class StorageFailed extends XllmError {
  /** `what`: as in "the image" */
  constructor(what: string, cause: unknown) {
    const [code, status] = isDiskFull(cause)
      ? (["disk_full", 507] as const)
      : (["storage_failed", 500] as const)
    super(code, status, `the server cannot store ${what}: ${reasonOf(cause)}`, { cause })
  }
}

/** A disk has no room for what is to be written to it. */
export class DiskFull extends XllmError {
  constructor(folder: string, neededBytes: number, freeBytes: number) {
    super(
      "disk_full",
      507,
      `not enough disk space in ${folder}: ${inGigabytes(freeBytes)} are free, and ${inGigabytes(neededBytes)} are needed`,
      { details: { needed_bytes: neededBytes, free_bytes: freeBytes } },
    )
  }
}

/** An archive that is not what `export` writes; nothing of it was installed. */
export class InvalidArchive extends XllmError {
  constructor(archive: string, reason: string) {
    super("invalid_archive", 400, `${archive} cannot be imported: ${reason}; nothing was installed`)
  }
}

/** There is another model of that name already. */
export class ModelExists extends XllmError {
  constructor(model: string, hint: string) {
    super("model_exists", 409, `there is another model '${model}' already; ${hint}`, { param: "model" })
  }
}

/** A model was to be made known whose files are not there (any more). */
export class BlobMissing extends XllmError {
  constructor(model: string, digests: readonly string[]) {
    super("blob_missing", 409, `model '${model}' cannot be installed: ${digests.join(", ")} is not there`, {
      details: { digests },
    })
  }
}

/** The system refused something that nobody foresaw. The message has no path: it may be one of the server's. */
export class SystemFailed extends XllmError {
  constructor(cause: unknown) {
    super("system_failed", 500, `the operating system reports: ${reasonOf(cause)}`, { cause })
  }
}

/** Something that should not happen; a defect of ours. With a `cause` the log has its trace. */
export class InternalError extends XllmError {
  constructor(message: string, cause?: unknown) {
    super("internal_error", 500, message, { cause })
  }
}
