import { DownloadFailed, ModelNotFound, Unsupported } from "../../errors"
import { formatModelName, type ModelName, OLLAMA_HOST } from "../names"
import { isOfConnection } from "./attempts"
import { fetchJson, fetchSmallFile } from "./fetch-text"
import type { DeclaredParts, PlannedFile, PullPlan } from "./plan"
import { RegistryAccess } from "./registry-access"
import {
  type Layer,
  MANIFEST_TYPES,
  parseMessages,
  parseParameters,
  parseRegistryConfig,
  parseRegistryManifest,
  type RegistryManifest,
} from "./registry-manifest"
import type { RemoteFile } from "./remote-file"
import { endpoint, isLoopbackHost, type SourceContext } from "./source-context"

/** Registries whose tokens come from another host. */
const TOKEN_HOSTS: Readonly<Record<string, readonly string[]>> = { [OLLAMA_HOST]: ["ollama.com"] }

/** What files of a model are called that come without a name. */
const FILES = {
  model: { role: "model", name: "model.gguf" },
  projector: { role: "projector", name: "mmproj.gguf" },
  adapter: { role: "adapter", name: "adapter.gguf" },
  draft: { role: "draft", name: "draft.gguf" },
} as const

/** A model in a registry, as it is now. */
export interface RegistryModel {
  readonly base: string
  readonly manifest: RegistryManifest
  /** SHA-256 of the manifest, hex. */
  readonly revision: string
  readonly access: RegistryAccess
}

/**
 * What has to be done to have a model of Ollama's registry, or of another that speaks its language.
 * @throws ModelNotFound, NotAuthorized, DownloadFailed, Unsupported
 */
export async function planRegistryPull(name: ModelName, context: SourceContext): Promise<PullPlan> {
  const label = formatModelName(name)
  const model = await findRegistryModel(name, context)
  const { layers, config } = model.manifest
  const read = (layer: Layer) => fetchSmallFile(remoteFile(name, layer, model), context)
  const { format, renderer, parser, requires, capabilities } = parseRegistryConfig(
    config === undefined ? "" : await read(config),
  )
  if (format !== undefined && format !== "gguf") {
    throw new Unsupported(`${label} is in the format '${format}', not GGUF, and cannot be used`)
  }
  const declared: DeclaredParts = {
    ...(await readDeclared(layers, read)),
    ...(capabilities.length > 0 && { capabilities }),
    ...(renderer !== undefined && { renderer }),
    ...(parser !== undefined && { parser }),
    ...(requires !== undefined && { requires }),
  }
  return {
    name,
    source: { type: "ollama", reference: label, revision: model.revision },
    files: plannedFiles(name, model),
    declared,
    notes: [],
    hint: "models on Hugging Face, named namespace/model, are made for llama.cpp",
  }
}

/** @throws as {@link planRegistryPull} */
export async function findRegistryModel(name: ModelName, context: SourceContext): Promise<RegistryModel> {
  const label = formatModelName(name)
  const tokenHosts = [...context.settings.tokenHosts, ...(TOKEN_HOSTS[name.host] ?? [])]
  const access = new RegistryAccess(label, context.client, tokenHosts)
  const bases = basesOf(name.host, context)
  for (const [index, base] of bases.entries()) {
    const url = `${base}/v2/${name.namespace}/${name.model}/manifests/${name.tag}`
    // Whether a registry speaks HTTP or HTTPS shows when it is asked; only the last way is tried with patience.
    const isLast = index === bases.length - 1
    const patience = isLast ? context.patience : { ...context.patience, attempts: 1 }
    try {
      const answer = await fetchJson(
        { url, label, access, headers: { accept: MANIFEST_TYPES } },
        { ...context, patience },
      )
      if (answer === undefined) throw new ModelNotFound(label, ` on ${new URL(base).host}`)
      const revision = new Bun.CryptoHasher("sha256").update(answer.text).digest("hex")
      return { base, manifest: parseRegistryManifest(answer.value, label), revision, access }
    } catch (error) {
      const { cause } = error instanceof DownloadFailed ? error : {}
      if (isLast || !(cause instanceof Error) || !isOfConnection(cause)) throw error
    }
  }
  throw new DownloadFailed(label, `'${name.host}' is no registry`)
}

/** Where a registry may be, the likelier first. */
function basesOf(host: string, { settings, isInsecure }: SourceContext): readonly string[] {
  if (host === OLLAMA_HOST) return [endpoint(settings.ollamaRegistry)]
  const hostname = host.replace(/:\d+$/, "")
  if (isLoopbackHost(hostname)) return [`http://${host}`, `https://${host}`]
  return isInsecure ? [`https://${host}`, `http://${host}`] : [`https://${host}`]
}

function remoteFile(
  name: ModelName,
  { kind, digest, sizeBytes }: Layer,
  { base, access }: RegistryModel,
): RemoteFile {
  return {
    label: digest.slice("sha256:".length, "sha256:".length + 12),
    reference: `${formatModelName(name)}#${kind}`,
    url: `${base}/v2/${name.namespace}/${name.model}/blobs/${digest}`,
    sizeBytes,
    digest,
    access,
  }
}

function plannedFiles(name: ModelName, model: RegistryModel): readonly PlannedFile[] {
  const { layers } = model.manifest
  const label = formatModelName(name)
  if (layers.filter(({ kind }) => kind === "model").length > 1) {
    throw new Unsupported(`${label} consists of several models, which cannot be used`)
  }
  return Object.entries(FILES).flatMap(([kind, { role, name: fileName }]) => {
    const ofKind = layers.filter((layer) => layer.kind === kind)
    return ofKind.map((layer, index) => ({
      role,
      name: index === 0 ? fileName : fileName.replace(".", `-${index + 1}.`),
      remote: remoteFile(name, layer, model),
    }))
  })
}

async function readDeclared(
  layers: readonly Layer[],
  read: (layer: Layer) => Promise<string>,
): Promise<DeclaredParts> {
  const textsOf = async (...kinds: readonly string[]) =>
    await Promise.all(layers.filter(({ kind }) => kinds.includes(kind)).map(read))
  // `prompt` is what templates were called at first.
  const [template] = await textsOf("template", "prompt")
  const [system] = await textsOf("system")
  const [parameters] = await textsOf("params")
  const [messages] = await textsOf("messages")
  const licenses = await textsOf("license")
  return {
    parameters: parameters === undefined ? {} : parseParameters(parameters),
    ...(template !== undefined && { template: { text: template, syntax: "go" as const } }),
    ...(system !== undefined && { system }),
    ...(messages !== undefined && { messages: parseMessages(messages) }),
    ...(licenses.length > 0 && { licenses }),
  }
}
