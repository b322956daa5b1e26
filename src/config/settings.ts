import { resolve } from "node:path"
import type { TextModelSettings } from "../domain"
import { UsageError } from "../errors"
import { clientUrl } from "./address"
import type { Environment } from "./environment"
import { type Resolved, resolveSettings, sources, type Values } from "./load"
import { findPaths } from "./paths"
import {
  type connectionSettings,
  DEFAULT_PORT,
  logSettings,
  modelSettings,
  serverSettings,
  storeSettings,
} from "./schema"

type Flags<T extends Readonly<Record<string, unknown>>> = { readonly [K in keyof T]?: unknown }

/** Where the models are: the flag, `XLLM_MODELS_DIR`, or `models` in xLLM's home. */
export function modelsFolder(flags: Flags<typeof storeSettings>, environment: Environment): string {
  const { modelsDir } = resolveSettings(storeSettings, flags, environment).values
  return modelsDir === null ? findPaths(environment).models : resolve(modelsDir)
}

/** What models are loaded with, as the engine takes it. */
export function textModelSettings(
  flags: Flags<typeof modelSettings>,
  environment: Environment,
): TextModelSettings {
  const values = resolveSettings(modelSettings, flags, environment).values
  return {
    contextLength: values.ctx,
    slots: values.slots,
    decodeThreads: values.threads,
    prefillThreads: values.threadsBatch,
    gpuLayers: values.gpuLayers,
    splitMode: values.splitMode,
    tensorSplit: values.tensorSplit,
    devices: values.device,
    kvTypeK: values.cacheTypeK,
    kvTypeV: values.cacheTypeV,
    kvLayout: values.kv,
    kvCells: values.kvCells,
    flashAttention: values.flashAttn,
    memoryMap: values.mmap,
    memoryLock: values.mlock,
  }
}

/** What `log/logger.ts` is made with; `usual` is the level where nobody said one. */
export function logOptions(
  flags: Flags<typeof logSettings>,
  environment: Environment,
  usual: Values<typeof logSettings>["logLevel"] = logSettings.logLevel.fallback,
): Values<typeof logSettings> {
  const { values, sources: from } = resolveSettings(logSettings, flags, environment)
  return from.logLevel === "default" ? { ...values, logLevel: usual } : values
}

/** Where and how `serve` listens. */
export interface ListenSettings {
  readonly hostname: string
  /** 0: any free one. */
  readonly port: number
  readonly queueLimit: number
  /** Origins of web pages that may call the server. */
  readonly corsOrigins: readonly string[]
}

/**
 * `--host` may carry a port; the stronger source of the two counts, and `--port` where both are flags.
 * @throws UsageError for an https address
 */
export function listenSettings(
  flags: Flags<typeof serverSettings>,
  environment: Environment,
): ListenSettings {
  const { values, sources: from } = resolveSettings(serverSettings, flags, environment)
  if (values.host.tls)
    throw new UsageError("--host must be an address without https: serve speaks plain HTTP")
  const stronger = sources.indexOf(from.host) > sources.indexOf(from.port)
  const port = stronger && values.host.port !== undefined ? values.host.port : values.port
  return { hostname: values.host.hostname, port, queueLimit: values.queue, corsOrigins: values.corsOrigins }
}

/** The server that commands talk to. */
export interface ServerLocation {
  readonly url: string
  /** The user named it, by flag or variable. */
  readonly isNamed: boolean
}

/** `--host`, `XLLM_HOST`, or this machine's usual port (`XLLM_PORT` moves it). */
export function serverLocation(
  flags: Flags<typeof connectionSettings>,
  environment: Environment,
): ServerLocation {
  const table = { host: serverSettings.host, port: serverSettings.port }
  const { values, sources: from }: Resolved<typeof table> = resolveSettings(table, flags, environment)
  const port = values.host.port ?? (values.port || DEFAULT_PORT)
  return { url: clientUrl(values.host, port), isNamed: from.host !== "default" || from.port !== "default" }
}
