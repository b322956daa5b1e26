import type { ModelKind } from "../../domain/model"
import { reasonOf } from "../../errors/base"
import { InvalidManifest } from "../../errors/store"
import { findExcess } from "../../lib/json-shape"
import { JSON_SHAPE } from "../../limits"

export type Digest = `sha256:${string}`

export function isDigest(text: string): text is Digest {
  return /^sha256:[0-9a-f]{64}$/.test(text)
}

/** The purpose of a model's file. `file`: one of several that are only useful together. */
export type FileRole = "model" | "projector" | "adapter" | "draft" | "file"

export interface ManifestFile {
  /** Its original name, relative to the model, with `/` between folders. */
  readonly name: string
  readonly role: FileRole
  readonly digest: Digest
  readonly sizeBytes: number
  /** For adapters; absent: 1. */
  readonly scale?: number
}

export interface ManifestSource {
  readonly type: "huggingface" | "ollama" | "url" | "file" | "create" | "import"
  /** A name, a URL or a path, by `type`. */
  readonly reference: string
  /** The commit or digest that was current at the source. */
  readonly revision?: string
}

export type ManifestParameter = number | boolean | string | readonly string[]

/** Everything known about an installed model except its name, which is its path. */
export interface Manifest {
  readonly version: 1
  readonly kind: ModelKind
  /** ISO 8601. */
  readonly createdAt: string
  readonly source?: ManifestSource
  /** At least one. */
  readonly files: readonly ManifestFile[]
  readonly capabilities?: readonly string[]
  /** By their names in Modelfiles: `temperature`, `stop`, `num_ctx`, … */
  readonly parameters: Readonly<Record<string, ManifestParameter>>
  readonly template?: { readonly text: string; readonly syntax: "jinja" | "go" }
  readonly system?: string
  readonly messages?: readonly { readonly role: "system" | "user" | "assistant"; readonly content: string }[]
  readonly licenses?: readonly string[]
  readonly requires?: string
  readonly renderer?: string
  readonly parser?: string
  /** The model that this one was derived from. */
  readonly base?: string
}

/** Licences and templates take some kilobytes; no real manifest comes near this. */
export const MAX_MANIFEST_BYTES = 16 * 1024 ** 2

/** Formats a manifest as {@link parseManifest} reads it. */
export function printManifest(manifest: Manifest): string {
  return `${JSON.stringify(manifest, null, 2)}\n`
}

/**
 * Checks a manifest completely, because manifests are edited by hand, copied from elsewhere and truncated.
 * @throws InvalidManifest that says what is wrong
 */
export async function parseManifest(bytes: Uint8Array): Promise<Manifest> {
  if (bytes.length > MAX_MANIFEST_BYTES) throw new InvalidManifest("it is larger than any manifest")
  const excess = await findExcess(bytes, JSON_SHAPE)
  if (excess !== undefined) throw new InvalidManifest(`it has more than ${JSON_SHAPE[excess]} ${excess}`)
  const value = parseJson(bytes)
  // Loaded on first use: the checker takes longer to load than models take to list.
  const { checkManifest } = await import("./manifest-schema")
  return checkManifest(value)
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes))
  } catch (error) {
    throw new InvalidManifest(`it is not JSON: ${reasonOf(error)}`)
  }
}

/**
 * Hex digest of the model's content: the same under every name, and independent of where, when and from what it was
 * created. File names of text models do not matter.
 */
export function manifestId({ createdAt: _when, source: _where, base: _base, ...content }: Manifest): string {
  const files = content.kind === "text" ? content.files.map(({ name: _, ...file }) => file) : content.files
  return new Bun.CryptoHasher("sha256").update(canonical({ ...content, files })).digest("hex")
}

/** JSON with sorted object keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (inner === null || typeof inner !== "object" || Array.isArray(inner)) return inner
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}
