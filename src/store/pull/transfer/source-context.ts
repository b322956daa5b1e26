import type { HttpClient } from "./http-client"
import type { Patience } from "./retry"

/** Where models come from, as configured. */
export interface SourceSettings {
  /** URL of Hugging Face, or of a mirror. */
  readonly huggingFace: string
  readonly huggingFaceToken: string | undefined
  /** URL of Ollama's registry, or of a mirror. */
  readonly ollamaRegistry: string
  /** Hosts beside a registry's own that may be asked for its tokens. */
  readonly tokenHosts: readonly string[]
}

/** What a source needs to find out what there is. */
export interface SourceContext {
  readonly settings: SourceSettings
  readonly client: HttpClient
  readonly patience: Patience
  /** Plain HTTP, and certificates that nobody vouches for, are fine. */
  readonly isInsecure: boolean
  readonly signal: AbortSignal
}

/** Addresses that nobody but this machine can answer for. */
export function isLoopbackHost(hostname: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\]|::1|[^.]+\.localhost)$/i.test(hostname)
}

/** An endpoint without the slash at its end. */
export function endpoint(url: string): string {
  return url.replace(/\/+$/, "")
}
