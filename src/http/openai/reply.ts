import type { Engine } from "../../engine/contract"
import type { CurrentSettings } from "../context/settings"
import type { ImageFiles } from "../image-files/image-files"
import type { Uploads } from "../read/body/uploads"

/** Shared by all routes of this dialect. */
export interface OpenAiContext {
  readonly engine: Engine
  readonly version: string
  readonly settings: CurrentSettings
  readonly uploads: Uploads
  readonly images: ImageFiles
}

/** The fields that all parts of an answer share. */
export interface ReplyIdentity {
  readonly id: string
  /** Unix time in seconds. */
  readonly created: number
  readonly model: string
  readonly system_fingerprint: string
}

/**
 * Creates the identity of a new answer. Its model is named as in the request, or, if the request names none, as in
 * the engine.
 * @throws InvalidRequest if none is named and there is not exactly one text model
 */
export async function createIdentity(
  { engine, version }: OpenAiContext,
  prefix: "chatcmpl" | "cmpl",
  model: string | undefined,
): Promise<ReplyIdentity> {
  return {
    id: `${prefix}-${crypto.randomUUID().replaceAll("-", "")}`,
    created: Math.floor(Date.now() / 1000),
    model: model ?? (await engine.resolve(undefined, "chat")).name,
    system_fingerprint: `xllm-${version}`,
  }
}
