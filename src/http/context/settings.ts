import type { ReasoningField } from "../../domain/settings"
import { DEFAULT_MEDIA_BYTES, DEFAULT_MEDIA_FILES, DEFAULT_UPLOAD_BYTES } from "../../limits"

/** What requests may bring besides text. */
export interface VisionSettings {
  /** Pictures and sounds of one request, with those of its whole conversation. */
  readonly maxFiles: number
  /** Of one picture or sound. */
  readonly maxBytes: number
  /** Load pictures from the web where a request has their URLs. */
  readonly fetchesUrls: boolean
}

const DEFAULT_VISION_SETTINGS: VisionSettings = {
  maxFiles: DEFAULT_MEDIA_FILES,
  maxBytes: DEFAULT_MEDIA_BYTES,
  fetchesUrls: false,
}

/** Access rules and logging of the server. They may change while it runs. */
export interface HttpSettings {
  /** Origins of web pages that may call the server, besides the default ones; `*` matches anything. */
  readonly corsOrigins: readonly string[]
  /**
   * Host names that the server answers for, besides its own; `*.example.com` includes all names below it, `*` allows
   * any.
   */
  readonly allowedHosts: readonly string[]
  /** If there are any, requests need one of them. */
  readonly apiKeys: readonly string[]
  /** Requests with different keys share no cached prompts. */
  readonly cachePerKey: boolean
  /** Serve metrics without a key. */
  readonly metricsPublic: boolean
  /** Write prompts and answers to the log. */
  readonly logContent: boolean
  /** The largest accepted form in bytes; audio and images are uploaded in forms. */
  readonly uploadLimitBytes: number
  readonly vision: VisionSettings
  /** The server's public URL, without a trailing slash; `null`: the address that each request was sent to. */
  readonly publicUrl: string | null
  /** Serve the web page. */
  readonly web: boolean
  /** Where answers have the model's thinking. */
  readonly reasoningField: ReasoningField
}

export const DEFAULT_HTTP_SETTINGS: HttpSettings = {
  corsOrigins: [],
  allowedHosts: [],
  apiKeys: [],
  cachePerKey: false,
  metricsPublic: false,
  logContent: false,
  uploadLimitBytes: DEFAULT_UPLOAD_BYTES,
  vision: DEFAULT_VISION_SETTINGS,
  publicUrl: null,
  web: true,
  reasoningField: "reasoning_content",
}

/** Returns the current settings: the same object until something changes. */
export type CurrentSettings = () => HttpSettings

/** A value derived from the settings, computed again only when they change. */
export function derived<T>(settings: CurrentSettings, derive: (settings: HttpSettings) => T): () => T {
  let from = settings()
  let value = derive(from)
  return () => {
    const now = settings()
    if (now !== from) {
      from = now
      value = derive(now)
    }
    return value
  }
}
