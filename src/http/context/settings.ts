import { DEFAULT_UPLOAD_BYTES } from "../../limits"

/** What the server allows to whom, and what it writes down. May change while the server runs. */
export interface HttpSettings {
  /** Origins of web pages that may call the server, beside the default ones; `*` in them stands for anything. */
  readonly corsOrigins: readonly string[]
  /** Names that the server answers for, beside its own; `*.example.com` with all below it, `*`: any. */
  readonly allowedHosts: readonly string[]
  /** Where there are any, requests need one of them. */
  readonly apiKeys: readonly string[]
  /** Metrics need no key. */
  readonly metricsPublic: boolean
  /** Prompts and answers are written to the log. */
  readonly logContent: boolean
  /** The largest form that is read, in bytes: audio and pictures come in forms. */
  readonly uploadLimitBytes: number
  /** Where clients reach the server, without a slash at the end; `null`: where they send their requests. */
  readonly publicUrl: string | null
}

export const DEFAULT_HTTP_SETTINGS: HttpSettings = {
  corsOrigins: [],
  allowedHosts: [],
  apiKeys: [],
  metricsPublic: false,
  logContent: false,
  uploadLimitBytes: DEFAULT_UPLOAD_BYTES,
  publicUrl: null,
}

/** The settings of this moment: the same object until something changes. */
export type CurrentSettings = () => HttpSettings

/** What follows from the settings, worked out again only when they have changed. */
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
