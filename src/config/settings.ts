import { resolve } from "node:path"
import type { PromptsOnDisk, ReasoningField } from "../domain/settings"
import { UsageError } from "../errors/cli"
import type { Aliases } from "../lib/aliases"
import { clientUrl, isLoopback } from "./address"
import { type Inputs, type Origin, resolveSettings, sources, type Values } from "./load"
import type { AdapterSetting } from "./loras"
import { findPaths } from "./paths"
import { kvDiskSettings } from "./sections/kv-disk"
import { flaglessSettings } from "./sections/flagless"
import { mediaSettings, visionSettings } from "./sections/images"
import { capacitySettings } from "./sections/limits"
import { loraSettings } from "./sections/loras"
import { logFileSettings, logSettings } from "./sections/log"
import { missingModelSettings, pgpSettings, pullSettings, storeSettings } from "./sections/pull"
import { responseSettings } from "./sections/responses"
import { DEFAULT_PORT, metricsSettings, serverSettings } from "./sections/server"

/** The models folder: `models_dir`, or `models` in xLLM's home. */
export function modelsFolder(inputs: Inputs): string {
  const { modelsDir } = resolveSettings(storeSettings, inputs).values
  return modelsDir === null ? findPaths(inputs.environment).models : resolve(modelsDir)
}

/** The origin of the models folder's path. */
export function modelsFolderOrigin(inputs: Inputs): Origin {
  return resolveSettings(storeSettings, inputs).origins.modelsDir
}

/** The configured aliases. */
export function aliasesIn(inputs: Inputs): Aliases {
  return resolveSettings(flaglessSettings, inputs).values.aliases
}

/** The adapters that are applied to every model that they fit. */
export function lorasIn(inputs: Inputs): readonly AdapterSetting[] {
  return resolveSettings(loraSettings, inputs).values.lora
}

/** Where models are downloaded from, and how. */
export interface PullSettings {
  /** URL of Hugging Face, or of a mirror. */
  readonly huggingFace: string
  readonly huggingFaceToken: string | undefined
  /** URL of Ollama's registry, or of a mirror. */
  readonly ollamaRegistry: string
  /** Hosts that may issue a registry's tokens, besides its own. */
  readonly tokenHosts: readonly string[]
  readonly connections: number
  readonly stallMs: number
  /** Accept only files signed with a trusted key. */
  readonly verify: boolean
  /** The server downloads missing models. */
  readonly pullMissing: boolean
  /** Registries that a server may download from, besides the two above. */
  readonly registries: readonly string[]
}

export function pullSettingsOf(inputs: Inputs): PullSettings {
  const { values } = resolveSettings({ ...pullSettings, ...missingModelSettings, ...pgpSettings }, inputs)
  const { huggingfaceToken } = resolveSettings(flaglessSettings, inputs).values
  return {
    huggingFace: values.huggingfaceEndpoint,
    huggingFaceToken: huggingfaceToken ?? undefined,
    ollamaRegistry: values.ollamaRegistry,
    tokenHosts: values.tokenHosts,
    connections: values.connections,
    stallMs: Math.max(1, values.stallTimeout * 1000),
    verify: values.verify,
    pullMissing: values.pullMissing,
    registries: values.pullRegistries.map((host) => host.toLowerCase()),
  }
}

/** Options for `log/logger.ts`. */
export function logOptions(inputs: Inputs): Values<typeof logSettings> {
  return resolveSettings(logSettings, inputs).values
}

/** The same for commands whose output is an answer: the file's log level is meant for servers. */
export function quietLogOptions(inputs: Inputs): Values<typeof logSettings> {
  const { values, origins } = resolveSettings(logSettings, inputs)
  const { source } = origins.logLevel
  return source === "default" || source === "file" ? { ...values, logLevel: "off" } : values
}

/** The location and number of log files. */
export function logFileOptions(inputs: Inputs): Values<typeof logFileSettings> {
  return resolveSettings(logFileSettings, inputs).values
}

/** The server's capacity. */
export function capacity(inputs: Inputs): Values<typeof capacitySettings> {
  return resolveSettings(capacitySettings, inputs).values
}

/** Who may access the server. */
export interface AccessSettings {
  /** Origins of web pages that may call the server. */
  readonly corsOrigins: readonly string[]
  readonly allowedHosts: readonly string[]
  readonly apiKeys: readonly string[]
  readonly cachePerKey: boolean
  readonly metricsPublic: boolean
  readonly logContent: boolean
  readonly uploadLimitBytes: number
  readonly vision: {
    readonly maxFiles: number
    readonly maxBytes: number
    readonly fetchesUrls: boolean
  }
  readonly publicUrl: string | null
  readonly web: boolean
  readonly reasoningField: ReasoningField
}

export function accessSettings(inputs: Inputs): AccessSettings {
  const { corsOrigins, allowedHosts, cachePerKey, publicUrl, web, reasoningField } = resolveSettings(
    serverSettings,
    inputs,
  ).values
  const { apiKeys } = resolveSettings(flaglessSettings, inputs).values
  const { metricsPublic } = resolveSettings(metricsSettings, inputs).values
  const { logContent } = logFileOptions(inputs)
  const { uploadLimit: uploadLimitBytes } = resolveSettings(mediaSettings, inputs).values
  const { visionMaxFiles, visionMaxBytes, visionFetchUrls } = resolveSettings(visionSettings, inputs).values
  return {
    corsOrigins,
    allowedHosts,
    apiKeys,
    cachePerKey,
    metricsPublic,
    logContent,
    uploadLimitBytes,
    vision: { maxFiles: visionMaxFiles, maxBytes: visionMaxBytes, fetchesUrls: visionFetchUrls },
    publicUrl,
    web,
    reasoningField,
  }
}

/** The folder of the user's own page. */
export function pageFolder(inputs: Inputs): string | null {
  const { path } = resolveSettings(serverSettings, inputs).values
  return path === null ? null : resolve(path)
}

/** The folder of generated images: `images.dir`, or `images` in xLLM's home. */
export function imagesFolder(inputs: Inputs): string {
  const { imagesDir } = resolveSettings(mediaSettings, inputs).values
  return imagesDir === null ? findPaths(inputs.environment).images : resolve(imagesDir)
}

/** How long they are kept, and how many. */
export interface ImageSettings {
  readonly ttlSeconds: number | null
  readonly maxBytes: number | null
}

export function imageSettings(inputs: Inputs): ImageSettings {
  const { imagesTtl, imagesMaxBytes } = resolveSettings(mediaSettings, inputs).values
  return { ttlSeconds: imagesTtl, maxBytes: imagesMaxBytes }
}

/** Whether answers of /v1/responses are kept, how long, and how many. */
export interface ResponseSettings {
  readonly isEnabled: boolean
  readonly ttlSeconds: number | null
  readonly maxBytes: number | null
}

export function responseStoreSettings(inputs: Inputs): ResponseSettings {
  const { responsesStore, responsesTtl, responsesMaxBytes } = resolveSettings(responseSettings, inputs).values
  return { isEnabled: responsesStore, ttlSeconds: responsesTtl, maxBytes: responsesMaxBytes }
}

export type PromptsOnDiskSettings = PromptsOnDisk & { readonly isEnabled: boolean }

/** Where prompts are kept on disk, also where that is switched off: `xllm cache` shows what is there. */
export function promptsOnDisk(inputs: Inputs): PromptsOnDiskSettings {
  const { kvDisk, kvDiskDir, kvDiskMaxBytes, kvDiskMinTokens } = resolveSettings(
    kvDiskSettings,
    inputs,
  ).values
  return {
    isEnabled: kvDisk,
    folder: kvDiskDir === null ? findPaths(inputs.environment).prompts : resolve(kvDiskDir),
    maxBytes: kvDiskMaxBytes ?? Number.MAX_SAFE_INTEGER,
    minTokens: kvDiskMinTokens,
  }
}

/** Where `serve` listens. */
export type ListenSettings =
  | { readonly socket: string }
  | {
      readonly hostname: string
      /** 0: any free port. */
      readonly port: number
    }

/**
 * `server.host` may include a port; the stronger source of the two counts, and `server.port` where both come from
 * the same. A socket takes precedence unless an address comes from a stronger source.
 * @throws UsageError for an https address, and for one that is reachable from other machines without a key
 */
export function listenSettings(inputs: Inputs): ListenSettings {
  const { values, origins } = resolveSettings(serverSettings, inputs)
  if (values.socket !== null && strongest(origins, "socket", "host", "port")) {
    return { socket: resolve(values.socket) }
  }
  if (values.host.tls) {
    throw new UsageError(`${originOf(origins.host)} must not be https: 'xllm serve' speaks plain HTTP`)
  }
  const { hostname } = values.host
  const isOpen = !isLoopback(hostname) && accessSettings(inputs).apiKeys.length === 0
  if (isOpen && !values.insecure) {
    throw new UsageError(
      `refusing to listen on ${hostname} without an API key: ` +
        "set XLLM_API_KEY (or server.api_keys), or pass --insecure",
    )
  }
  const hasOwnPort = values.host.port !== undefined && !strongest(origins, "port", "host")
  return { hostname, port: hasOwnPort ? (values.host.port ?? values.port) : values.port }
}

type Origins<K extends string> = { readonly [key in K]: Origin }

/** Does `key` come from a source at least as strong as the others? */
function strongest<K extends string>(origins: Origins<K>, key: K, ...others: readonly K[]): boolean {
  const strength = (one: K) => sources.indexOf(origins[one].source)
  return others.every((other) => strength(key) >= strength(other))
}

function originOf({ source, name }: Origin): string {
  return source === "file" ? `server.host in ${name}` : name
}

/** The server that commands connect to. */
export interface ServerLocation {
  readonly url: string
  /** Its Unix socket; the URL's host is then unused. */
  readonly socket?: string
  /** The API key to send. */
  readonly apiKey?: string
  /** Named by the user, with a flag or a variable. */
  readonly isNamed: boolean
}

/** `server.host`, or this machine's default port (changed by `server.port`), or `server.socket`. */
export function serverLocation(inputs: Inputs): ServerLocation {
  const { host, port, socket } = serverSettings
  const { values, origins } = resolveSettings({ host, port, socket }, inputs)
  const isNamed = Object.values(origins).some(({ source }) => source === "flag" || source === "environment")
  const access = { isNamed, ...apiKeyFor(inputs, isNamed) }
  if (values.socket !== null && strongest(origins, "socket", "host", "port")) {
    return { url: "http://localhost", socket: resolve(values.socket), ...access }
  }
  const hasOwnPort = values.host.port !== undefined && !strongest(origins, "port", "host")
  const usual = values.port || DEFAULT_PORT
  return { url: clientUrl(values.host, hasOwnPort ? (values.host.port ?? usual) : usual), ...access }
}

/** Keys in the file belong to this machine's own server: never send them to another one. */
function apiKeyFor(inputs: Inputs, isNamed: boolean): { readonly apiKey?: string } {
  const { values, origins } = resolveSettings(flaglessSettings, inputs)
  const [apiKey] = values.apiKeys
  return apiKey === undefined || (isNamed && origins.apiKeys.source === "file") ? {} : { apiKey }
}
