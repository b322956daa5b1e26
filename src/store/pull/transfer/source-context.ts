import type { HttpClient } from "./http-client"
import type { Patience } from "./retry"

/** The configured sources of models. */
export interface SourceSettings {
  /** URL of Hugging Face, or of a mirror. */
  readonly huggingFace: string
  readonly huggingFaceToken: string | undefined
  /** URL of Ollama's registry, or of a mirror. */
  readonly ollamaRegistry: string
  /** Hosts that may issue a registry's tokens, besides its own. */
  readonly tokenHosts: readonly string[]
}

/** What a source needs to look up a model. */
export interface SourceContext {
  readonly settings: SourceSettings
  readonly client: HttpClient
  readonly patience: Patience
  /** Allow plain HTTP and untrusted certificates. */
  readonly isInsecure: boolean
  readonly signal: AbortSignal
}

/** Addresses that only this machine can answer. */
export function isLoopbackHost(hostname: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\]|::1|[^.]+\.localhost)$/i.test(hostname)
}

/** An endpoint without its trailing slash. */
export function endpoint(url: string): string {
  return url.replace(/\/+$/, "")
}
