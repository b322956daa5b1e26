import { InvalidModelName } from "../errors/model"
import { TEXTS } from "../limits"

/** A model's full name. Every part is safe as a file or folder name. */
export interface ModelName {
  /** The source: `hf.co`, `registry.ollama.ai`, or another registry, with its port if it has one. */
  readonly host: string
  readonly namespace: string
  readonly model: string
  /** A version, a quantisation, or one of several files. */
  readonly tag: string
}

export const HUGGING_FACE_HOST = "hf.co"
/** Also the host of locally created names without a namespace. */
export const OLLAMA_HOST = "registry.ollama.ai"
const LIBRARY = "library"
export const DEFAULT_TAG = "latest"

/** Alternative spellings of the hosts with a short name. */
const HOST_ALIASES: ReadonlyMap<string, string> = new Map([
  ["hf.co", HUGGING_FACE_HOST],
  ["www.hf.co", HUGGING_FACE_HOST],
  ["huggingface.co", HUGGING_FACE_HOST],
  ["www.huggingface.co", HUGGING_FACE_HOST],
  ["registry.ollama.ai", OLLAMA_HOST],
  ["registry.ollama.com", OLLAMA_HOST],
  ["ollama.com", OLLAMA_HOST],
])

/** Ollama's limits for hosts and for the other parts. */
const MAX_HOST_LENGTH = 350
const MAX_PART_LENGTH = 80
/** Hugging Face's limit for owners and repositories; its tags can be file names. */
const MAX_HUB_PART_LENGTH = 96
const MAX_HUB_TAG_LENGTH = 200
/** How much of an overlong name is shown. */
const SHOWN_LENGTH = 200

const FORM = "a model name has the form [hf:|ollama:|host/][namespace/]model[:tag]"

/**
 * Parses `[hf:|ollama:|host[:port]/][namespace/]model[:tag]`. Without a namespace the model is in Ollama's library
 * or was created locally; `namespace/model` is on Hugging Face, unless a prefix or host says otherwise. Nothing is
 * looked up.
 * @throws InvalidModelName that says what is wrong; for paths and URLs too
 */
export function parseModelName(text: string): ModelName {
  refuseOtherThings(text)
  const [, prefix, rest = ""] = /^(?:(hf|ollama):)?(.*)$/is.exec(text) ?? []
  const { path, tag } = splitTag(rest)
  const parts = path.split("/")
  const name = prefix === undefined ? placed(text, parts) : prefixed(text, prefix.toLowerCase(), parts)
  const whole = { ...name, tag: tag ?? DEFAULT_TAG }
  checkParts(text, whole)
  return whole
}

/** The shortest spelling that {@link parseModelName} understands; always with the tag, as Ollama shows it. */
export function formatModelName({ host, namespace, model, tag }: ModelName): string {
  if (host === OLLAMA_HOST) {
    if (namespace !== LIBRARY) return `ollama:${namespace}/${model}:${tag}`
    return /^(hf|ollama)$/i.test(model) ? `ollama:${model}:${tag}` : `${model}:${tag}`
  }
  const path = `${namespace}/${model}:${tag}`
  if (host !== HUGGING_FACE_HOST) return `${host}/${path}`
  return isHost(namespace) ? `hf:${path}` : path
}

/** The name with four parts as they are on disk; `undefined` where one of them is invalid. */
export function nameOfParts(
  host: string,
  namespace: string,
  model: string,
  tag: string,
): ModelName | undefined {
  const name = { host, namespace, model, tag }
  try {
    checkParts(Object.values(name).join("/"), name)
    return name
  } catch (error) {
    if (error instanceof InvalidModelName) return undefined
    throw error
  }
}

/** Names come from anywhere: text that would disturb or fill a terminal is not repeated. */
function refusal(text: string, reason: string): InvalidModelName {
  const shown = text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text
  return new InvalidModelName(shown.replace(/[\u0000-\u001f\u007f-\u009f]/g, "\ufffd"), reason)
}

function refuseOtherThings(text: string): void {
  const refuse = (reason: string) => refusal(text, reason)
  if (text === "") throw refuse("it is empty")
  if (text.length > TEXTS.model.maxLength) throw refuse(`it has ${text.length} characters`)
  if (/[\u0000-\u001f\u007f]/.test(text)) throw refuse("it has control characters")
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) throw refuse(`it is a URL; ${FORM}`)
  if (/^([/\\]|\.{1,2}([/\\]|$)|~|[a-z]:\\)/i.test(text)) throw refuse(`it is a path; ${FORM}`)
}

/** Splits at the last colon, unless that belongs to a host's port. */
function splitTag(text: string): { readonly path: string; readonly tag: string | undefined } {
  const colon = text.lastIndexOf(":")
  if (colon <= text.lastIndexOf("/")) return { path: text, tag: undefined }
  return { path: text.slice(0, colon), tag: text.slice(colon + 1) }
}

type Place = Omit<ModelName, "tag">

function prefixed(text: string, prefix: string, parts: readonly string[]): Place {
  if (parts.length > 2) {
    throw refusal(text, `after '${prefix}:' namespace/model is expected${FILE_HINT}`)
  }
  return onHost(text, prefix === "hf" ? HUGGING_FACE_HOST : OLLAMA_HOST, parts)
}

const FILE_HINT = "; a file of a repository is named as the tag: namespace/model:file"

/** Finds the host among the parts of a name without a prefix. */
function placed(text: string, parts: readonly string[]): Place {
  const [first = "", ...others] = parts
  if (others.length === 0) return onHost(text, OLLAMA_HOST, parts)
  if (others.length === 1 && !isHost(first)) return onHost(text, HUGGING_FACE_HOST, parts)
  if (others.length > 2) {
    throw refusal(text, `it has ${parts.length} parts, and at most 3 are possible${FILE_HINT}`)
  }
  const host = first.toLowerCase()
  return onHost(text, HOST_ALIASES.get(host) ?? host, others)
}

/** Is the first of two parts a host rather than a namespace? */
function isHost(part: string): boolean {
  const host = part.toLowerCase()
  return HOST_ALIASES.has(host) || host === "localhost" || host.includes(":")
}

function onHost(text: string, host: string, parts: readonly string[]): Place {
  const [first = "", second] = parts
  if (second !== undefined) return { host, namespace: first, model: second }
  if (host !== HUGGING_FACE_HOST) return { host, namespace: LIBRARY, model: first }
  throw refusal(text, "a model on Hugging Face has the form namespace/model")
}

function checkParts(text: string, { host, namespace, model, tag }: ModelName): void {
  const isHub = host === HUGGING_FACE_HOST
  checkHost(text, host)
  checkPart(text, "namespace", namespace, isHub ? MAX_HUB_PART_LENGTH : MAX_PART_LENGTH)
  checkPart(text, "model", model, isHub ? MAX_HUB_PART_LENGTH : MAX_PART_LENGTH)
  checkPart(text, "tag", tag, isHub ? MAX_HUB_TAG_LENGTH : MAX_PART_LENGTH)
}

function checkHost(text: string, host: string): void {
  const [, name = "", port] = /^(.*?)(?::([^:\]]*))?$/.exec(host) ?? []
  const isName = /^[a-z0-9_]([a-z0-9._-]*[a-z0-9])?$/.test(name) && !name.includes("..")
  if (host.length > MAX_HOST_LENGTH || !(isName || /^\[[0-9a-f:.]+\]$/.test(name))) {
    throw refusal(text, `'${host}' is not a host`)
  }
  if (port !== undefined && !(/^[0-9]{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535)) {
    throw refusal(text, `'${port}' is not a port`)
  }
}

function checkPart(text: string, what: string, part: string, maxLength: number): void {
  const refuse = (reason: string) => refusal(text, reason)
  if (part === "") throw refuse(`its ${what} is empty`)
  if (part.length > maxLength) {
    throw refuse(`its ${what} has ${part.length} characters, more than the ${maxLength} that are possible`)
  }
  if (part.includes("..")) throw refuse(`its ${what} '${part}' has two dots in a row`)
  if (!/^[A-Za-z0-9_]/.test(part)) throw refuse(`its ${what} '${part}' must begin with a letter or a digit`)
  const strange = /[^A-Za-z0-9_.+-]/.exec(part)?.[0]
  if (strange === undefined) return
  const character = /\s/.test(strange) ? "spaces" : `'${strange}'`
  throw refuse(`model names cannot contain ${character}; letters, digits and _ . + - can be used`)
}
