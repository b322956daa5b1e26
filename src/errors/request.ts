import { formatSize } from "../lib/text/bytes"
import { formatSeconds } from "../lib/text/duration"
import { named, shortened, XllmError } from "./base"

/** An invalid request; the message names the field, the rule and the given value. */
export class InvalidRequest extends XllmError {
  constructor(message: string, param?: string) {
    super("invalid_request_error", 400, message, param === undefined ? {} : { param })
  }
}

/** A request for something that this build does not support (yet). */
export class Unsupported extends XllmError {
  constructor(message: string, param?: string) {
    super("unsupported", 400, message, param === undefined ? {} : { param })
  }
}

/** A picture or a sound for a model that takes text only. */
export class NotPerceived extends XllmError {
  constructor(model: string, type: "image" | "audio") {
    const [what, capability] = type === "image" ? ["see images", "vision"] : ["take audio", "audio"]
    super(
      "unsupported",
      400,
      `model '${named(model)}' does not ${what}; use one that 'xllm show' lists the capability ${capability} of, ` +
        "or give this one a projector that fits (a second FROM in a Modelfile)",
      { param: "messages" },
    )
  }
}

/** A picture or a sound of a chat that is not one, or is damaged. */
export class UnreadableMedia extends XllmError {
  readonly #what: string
  readonly #reason: string

  /** `what`: as in "the image"; `reason` continues a sentence. */
  constructor(what: string, reason: string) {
    super("invalid_request_error", 400, `${what} cannot be read: ${reason}`, { param: "messages" })
    this.#what = what
    this.#reason = reason
  }

  /** The same of one among several of a request. */
  at(number: number, of: number): UnreadableMedia {
    return of === 1 ? this : new UnreadableMedia(`${this.#what} (${number} of ${of})`, this.#reason)
  }
}

/** The server's properties are its settings. The message begins as in llama-server. */
export class NotChangeable extends XllmError {
  constructor() {
    super(
      "not_changeable",
      501,
      "This server does not support changing global properties: they are its settings (see `xllm config`)",
    )
  }
}

export class NotFound extends XllmError {
  /** `likeliest`: the route that was probably meant. */
  constructor(method: string, path: string, likeliest?: string) {
    const hint = likeliest === undefined ? "" : `; did you mean ${likeliest}?`
    super("not_found", 404, `no such route: ${method} ${shortened(path)}${hint}`)
  }
}

/** A generated image that has expired or never existed. */
export class ImageNotFound extends XllmError {
  constructor() {
    super("image_not_found", 404, "no such image: it has expired, or never existed")
  }
}

/** A response that was not kept, has expired, or belongs to another key. */
export class ResponseNotFound extends XllmError {
  constructor(id: string) {
    super("response_not_found", 404, `Response with id '${named(id)}' not found.`)
  }
}

/** The same, of one that a request wants to continue. */
export class PreviousResponseNotFound extends XllmError {
  /** `why`: a phrase, where there is a reason to give. */
  constructor(id: string, why?: string) {
    const reason = why === undefined ? "" : ` (${why})`
    super(
      "previous_response_not_found",
      400,
      `Previous response with id '${named(id)}' not found${reason}; send the whole conversation as input`,
      { param: "previous_response_id" },
    )
  }
}

/** The path exists, but not for this method. */
export class MethodNotAllowed extends XllmError {
  /** The methods that the path supports. */
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

/** The request is for a host name that the server does not serve, as in a DNS rebinding attack. */
export class HostNotAllowed extends XllmError {
  constructor(host: string) {
    super("host_not_allowed", 403, `host '${named(host)}' is not allowed; add it to server.allowed_hosts`)
  }
}

/** A request from a web page that may not call the server. */
export class OriginNotAllowed extends XllmError {
  /** `origin`: absent where the browser does not send it. */
  constructor(origin?: string) {
    const pages = origin === undefined ? "this site" : `'${origin}'`
    super(
      "origin_not_allowed",
      403,
      `pages of ${pages} may not call the server; add the origin to server.cors_origins`,
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

/**
 * The prompt exceeds the context that the model was loaded with. The message begins like OpenAI's latest: litellm
 * (and with it aider) and LangChain detect a full context by these words, not by the code.
 */
export class ContextLengthExceeded extends XllmError {
  /**
   * `field`: the request's field with the text. A lower bound: the text was refused by its length alone.
   * `advice`: what to do instead. `mediaTokens`: those of the prompt that show images and sounds.
   */
  constructor(
    promptTokens: number,
    contextLength: number,
    field: "messages" | "prompt",
    isLowerBound = false,
    advice = "shorten it, or load the model with a larger context (--ctx)",
    mediaTokens = 0,
  ) {
    super(
      "context_length_exceeded",
      400,
      `Input tokens exceed the configured limit of ${contextLength} tokens: ` +
        `the prompt has ${isLowerBound ? "at least " : ""}${promptTokens}` +
        `${mediaTokens > 0 ? `, of which its images and sounds take ${mediaTokens}` : ""}; ${advice}`,
      {
        param: field,
        details: {
          n_prompt_tokens: promptTokens,
          n_ctx: contextLength,
          ...(isLowerBound && { is_lower_bound: true }),
          ...(mediaTokens > 0 && { n_media_tokens: mediaTokens }),
        },
      },
    )
  }
}

/** A text to embed or rank is longer than the model reads. */
export class InputTooLong extends XllmError {
  /** `what`: the text, as in "input[3]"; `field`: the request's field with it. */
  constructor(what: string, tokens: number, limit: number, field = what) {
    super(
      "context_length_exceeded",
      400,
      `Input tokens exceed the configured limit of ${limit} tokens: ${what} has ${tokens}; ` +
        "shorten it, or have it cut (truncate: true, or --truncate)",
      { param: field, details: { n_prompt_tokens: tokens, n_ctx: limit } },
    )
  }
}

export class PayloadTooLarge extends XllmError {
  /** `setting`: the server's setting that has the limit, if one has. */
  constructor(limitBytes: number, setting?: string) {
    const hint = setting === undefined ? "" : ` (the server's ${setting})`
    super("payload_too_large", 413, `the request body is larger than ${formatSize(limitBytes)}${hint}`)
  }
}

/** The request's body has an unsupported compression. */
export class UnsupportedEncoding extends XllmError {
  /** The supported encodings, in the syntax of Accept-Encoding. */
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
    super("queue_full", 503, `${limit} requests are already queued for model '${model}'; try again later`, {
      retryAfterSeconds,
    })
  }
}

/** A request waited longer for its start than it, or the server, allows. */
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

/** The client cancelled the request, so the message is never read. */
export class Cancelled extends XllmError {
  constructor() {
    super("cancelled", 499, "the request was cancelled")
  }
}

/** Someone who watches the server stopped the request. Clients do not try again after this status. */
export class RequestStopped extends XllmError {
  constructor() {
    super("request_stopped", 499, "the request was stopped on the server")
  }
}

/** No such request runs: it is over, or never existed. */
export class RequestNotFound extends XllmError {
  constructor(id: string) {
    super("request_not_found", 404, `no request '${named(id)}' is running`)
  }
}

/** No such download is known. */
export class PullNotFound extends XllmError {
  constructor(id: string) {
    super("pull_not_found", 404, `no download '${named(id)}' is known`)
  }
}

/** Each holds connections and memory. */
export class TooManyPulls extends XllmError {
  constructor(limit: number) {
    super("too_many_pulls", 429, `${limit} downloads are running; wait for one of them, or cancel one`)
  }
}

/** Each has a stream of its own. */
export class TooManyWatchers extends XllmError {
  constructor(limit: number) {
    super("too_many_watchers", 429, `${limit} clients watch the server's events already`)
  }
}

/** From another machine, without an API key. */
export class KeyRequired extends XllmError {
  constructor() {
    super(
      "key_required",
      403,
      "other machines need an API key for this: set XLLM_API_KEY (or server.api_keys) on the server",
    )
  }
}

/** A connected client does not read the data sent to it: it is treated as disconnected. */
export class ClientStalled extends XllmError {
  /** `stalledMs`: how long it has read nothing; absent where it read too slowly. */
  constructor(unsentBytes: number, stalledMs?: number) {
    const unsent = `${(unsentBytes / 1024 ** 2).toFixed(1)} MB were unsent`
    const message =
      stalledMs === undefined
        ? `the client reads too slowly: ${unsent}`
        : `the client stopped reading: ${unsent}, and nothing was read for ${Math.round(stalledMs / 1000)} s`
    super("client_stalled", 499, message)
  }
}
