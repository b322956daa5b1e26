import type { GenerationEvent } from "../../domain"
import type { Engine } from "../../engine/contract"
import type { CurrentSettings } from "../settings"

/** What every route of this dialect needs. */
export interface OpenAiContext {
  readonly engine: Engine
  readonly version: string
  readonly settings: CurrentSettings
}

/** The fields that all parts of one answer share. */
export interface ReplyIdentity {
  readonly id: string
  /** Unix time in seconds. */
  readonly created: number
  readonly model: string
  readonly system_fingerprint: string
}

/**
 * Names a new answer. Where the request names no model, it is the only one known; where there is not exactly one the
 * engine is about to refuse the request.
 */
export async function createIdentity(
  { engine, version }: OpenAiContext,
  prefix: "chatcmpl" | "cmpl",
  model: string | undefined,
): Promise<ReplyIdentity> {
  return {
    id: `${prefix}-${crypto.randomUUID().replaceAll("-", "")}`,
    created: Math.floor(Date.now() / 1000),
    model: model ?? (await engine.list())[0]?.name ?? "",
    system_fingerprint: `xllm-${version}`,
  }
}

/** What a waiting client is told in a comment; undefined for events of the answer itself. */
export function waitingNote(event: GenerationEvent): string | undefined {
  if (event.type === "loading") return `loading ${Math.floor(event.fraction * 100)}%`
  if (event.type === "queued") return `queued, ${event.position} ahead`
  return undefined
}
