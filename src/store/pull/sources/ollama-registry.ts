import { ModelNotFound } from "../../../errors/model"
import { DownloadFailed } from "../../../errors/store"
import { formatModelName, type ModelName, OLLAMA_HOST } from "../../names"
import { inspectStart } from "../choose/identify"
import type { PullPlan } from "../plan"
import { isOfConnection } from "../transfer/attempts"
import { fetchJson, fetchSmallFile } from "../transfer/fetch-text"
import type { RemoteFile } from "../transfer/remote-file"
import { endpoint, isLoopbackHost, type SourceContext } from "../transfer/source-context"
import { RegistryAccess } from "./registry-access"
import { filesOf, readDeclared } from "./registry-layers"
import { type Layer, MANIFEST_TYPES, parseRegistryManifest, type RegistryManifest } from "./registry-manifest"

/** Registries whose tokens come from another host. */
const TOKEN_HOSTS: Readonly<Record<string, readonly string[]>> = { [OLLAMA_HOST]: ["ollama.com"] }

const HINT = "models on Hugging Face, named namespace/model, are made for llama.cpp"

/** A model in a registry, in its current state. */
export interface RegistryModel {
  readonly base: string
  readonly manifest: RegistryManifest
  /** SHA-256 of the manifest, hex. */
  readonly revision: string
  readonly access: RegistryAccess
}

/**
 * The plan for a model in Ollama's registry, or in another one with the same protocol.
 * @throws ModelNotFound, NotAuthorized, DownloadFailed, Unsupported
 */
export async function planRegistryPull(name: ModelName, context: SourceContext): Promise<PullPlan> {
  const label = formatModelName(name)
  const model = await findRegistryModel(name, context)
  const read = (layer: Layer) => fetchSmallFile(remoteFile(name, layer, model), context)
  return {
    name,
    source: { type: "ollama", reference: label, revision: model.revision },
    files: filesOf(model.manifest, label).map(({ layer, role, name: fileName }) => ({
      role,
      name: fileName,
      remote: remoteFile(name, layer, model),
      // Saves downloading gigabytes of a file whose start shows that it is unusable.
      ...(role === "model" && {
        inspect: (path: string, prefixBytes: number) =>
          inspectStart({ path, sizeBytes: layer.sizeBytes, prefixBytes }, label, HINT),
      }),
    })),
    declared: await readDeclared(model.manifest, label, read),
    notes: [],
    hint: HINT,
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
    // Whether a registry uses HTTP or HTTPS is found out by trying; only the last attempt is a patient one.
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
  throw new DownloadFailed(label, `'${name.host}' is not a registry`)
}

/** Possible base URLs of a registry, the likelier first. */
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
