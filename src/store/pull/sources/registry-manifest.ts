import { Unsupported } from "../../../errors/request"
import { DownloadFailed } from "../../../errors/store"
import { numberAt, recordAt, recordsAt, textAt, toRecord, tryJson } from "../../../lib/json"
import { type Digest, isDigest, type ManifestParameter } from "../../managed/manifest"

/** A blob in a registry's manifest. */
export interface Layer {
  /** The last part of its media type: `model`, `projector`, `template`, … */
  readonly kind: string
  readonly digest: Digest
  readonly sizeBytes: number
}

export interface RegistryManifest {
  readonly config: Layer | undefined
  readonly layers: readonly Layer[]
}

export const MANIFEST_TYPES = [
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
].join(", ")

/** @throws DownloadFailed where it is no manifest of a model; Unsupported for one in another format */
export function parseRegistryManifest(value: unknown, label: string): RegistryManifest {
  const manifest = toRecord(value)
  if (manifest === undefined || numberAt(manifest, "schemaVersion") !== 2) {
    throw new DownloadFailed(label, "its manifest has an unknown type")
  }
  const layers = recordsAt(manifest, "layers").map((layer) => layerOf(layer, label))
  const config = recordAt(manifest, "config")
  if (layers.some(({ kind }) => kind === "tensor")) {
    throw new Unsupported(`${label} consists of safetensors, not GGUF, which is not supported yet`)
  }
  if (!layers.some(({ kind }) => kind === "model"))
    throw new DownloadFailed(label, "it is not a language model")
  return { config: config && layerOf(config, label), layers }
}

function layerOf(layer: Readonly<Record<string, unknown>>, label: string): Layer {
  const digest = textAt(layer, "digest") ?? ""
  const sizeBytes = numberAt(layer, "size") ?? -1
  if (!isDigest(digest) || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
    throw new DownloadFailed(label, "its manifest names a layer without a SHA-256 and a size")
  }
  const mediaType = textAt(layer, "mediaType") ?? ""
  return {
    kind: /^application\/vnd\.ollama\.image\.([a-z]+)/.exec(mediaType)?.[1] ?? mediaType,
    digest,
    sizeBytes,
  }
}

/** The configuration of a model. */
export interface RegistryConfig {
  readonly format: string | undefined
  readonly renderer: string | undefined
  readonly parser: string | undefined
  readonly requires: string | undefined
  readonly capabilities: readonly string[]
}

export function parseRegistryConfig(text: string): RegistryConfig {
  const config = toRecord(tryJson(text))
  const capabilities: unknown = config?.["capabilities"]
  const field = (key: string) => textAt(config, key) || undefined
  return {
    format: field("model_format"),
    renderer: field("renderer"),
    parser: field("parser"),
    requires: field("requires"),
    capabilities: Array.isArray(capabilities) ? capabilities.map(String) : [],
  }
}

/** The `params` layer: a JSON object of parameters, or of lists of them. */
export function parseParameters(text: string): Readonly<Record<string, ManifestParameter>> {
  const entries = Object.entries(toRecord(tryJson(text)) ?? {}).flatMap(([key, value]) => {
    const parameter = toParameter(value)
    return parameter === undefined ? [] : [[key, parameter] as const]
  })
  return Object.fromEntries(entries)
}

function toParameter(value: unknown): ManifestParameter | undefined {
  if (Array.isArray(value)) return value.map(String)
  return ["number", "boolean", "string"].includes(typeof value)
    ? // The three types just compared with.
      (value as number | boolean | string)
    : undefined
}

/** The `messages` layer. */
export function parseMessages(
  text: string,
): readonly { readonly role: "system" | "user" | "assistant"; readonly content: string }[] {
  const list = tryJson(text)
  return recordsAt({ list }, "list").flatMap((message) => {
    const role = textAt(message, "role")
    const content = textAt(message, "content")
    const isKnown = role === "system" || role === "user" || role === "assistant"
    return isKnown && content !== undefined ? [{ role, content }] : []
  })
}
