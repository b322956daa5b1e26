import type { ModelKind, WorkEvent } from "../../domain"
import type { Engine } from "../../engine/contract"
import type { ImageFiles } from "../image-files/image-files"
import type { Uploads } from "../uploads"
import type { CurrentSettings } from "../settings"

/** What every route of this dialect needs. */
export interface OpenAiContext {
  readonly engine: Engine
  readonly version: string
  readonly settings: CurrentSettings
  readonly uploads: Uploads
  readonly images: ImageFiles
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

/** The model that a request means: the one that it names, or the only one of its kind; undefined where there are others. */
export async function modelOfKind(
  { engine }: OpenAiContext,
  kind: ModelKind,
  model: string | undefined,
): Promise<string | undefined> {
  if (model !== undefined) return model
  const [only, ...others] = (await engine.list()).filter((known) => known.kind === kind)
  return others.length === 0 ? only?.name : undefined
}

/** What a waiting client is told in a comment; undefined for events of the answer itself. */
export function waitingNote(event: WorkEvent): string | undefined {
  if (event.type === "loading") return `loading ${Math.floor(event.fraction * 100)}%`
  if (event.type === "queued") return `queued, ${event.position} ahead`
  return undefined
}
