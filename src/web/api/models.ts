import { signal } from "@preact/signals"
import type { ModelBody, ModelDetailsBody } from "../../http/v0/bodies/model"
import { getJson } from "./client"

/** The models on disk; undefined until they are known. */
export const models = signal<readonly ModelBody[] | undefined>(undefined)

/** @throws ApiError */
export async function loadModels(): Promise<readonly ModelBody[]> {
  const { models: list } = await getJson<{ readonly models: readonly ModelBody[] }>("/v0/models")
  models.value = list
  return list
}

const details = new Map<string, Promise<ModelDetailsBody>>()

/** What the files of a model say. Asked for once for each version of it. @throws ApiError */
export async function loadDetails(model: ModelBody): Promise<ModelDetailsBody> {
  const key = `${model.id} ${model.name}`
  const known = details.get(key) ?? getJson<ModelDetailsBody>(`/v0/models/${encodeURIComponent(model.name)}`)
  details.set(key, known)
  known.catch(() => details.delete(key))
  return await known
}
