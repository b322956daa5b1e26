import { ModelNotFound } from "../../errors/model"
import { InvalidRequest } from "../../errors/request"
import type { Manifest } from "../managed/manifest"
import { HUGGING_FACE_HOST, type ModelName, OLLAMA_HOST, parseModelName } from "../names"
import type { PullPlan } from "./plan"
import { planHubPull } from "./sources/huggingface"
import { planRegistryPull } from "./sources/ollama-registry"
import { hubNameOfUrl, isUrl, planUrlPull } from "./sources/url-source"
import type { SourceContext } from "./transfer/source-context"

/**
 * Asks the source that a name or URL stands for.
 * @throws ModelNotFound naming other possible meanings of the name
 */
export async function planPull(model: string, context: SourceContext): Promise<PullPlan> {
  if (isUrl(model)) {
    const onHub = hubNameOfUrl(model)
    return onHub === undefined ? await planUrlPull(model, context) : await planHubPull(onHub, context)
  }
  const name = parseModelName(model)
  try {
    return await (name.host === HUGGING_FACE_HOST
      ? planHubPull(name, context)
      : planRegistryPull(name, context))
  } catch (error) {
    throw error instanceof ModelNotFound ? withForms(error, model, name) : error
  }
}

/** Sources that a model can be downloaded from again. */
const LASTING: ReadonlySet<string | undefined> = new Set(["url", "ollama", "huggingface"])

/** Was it downloaded, so that damaged files can be fetched again? */
export function canRepair({ source }: Manifest): boolean {
  return LASTING.has(source?.type)
}

/** The source's current plan; on Hugging Face that of the installed revision, where it still exists. */
export async function planAgain(
  name: string,
  { source }: Manifest,
  context: SourceContext,
): Promise<PullPlan> {
  if (source?.type === "url") return await planUrlPull(source.reference, context)
  if (source?.type === "ollama") return await planRegistryPull(parseModelName(source.reference), context)
  if (source?.type === "huggingface") {
    return await planHubPull(parseModelName(source.reference), context, source.revision)
  }
  const origin = source === undefined ? "" : ` (${source.type})`
  throw new InvalidRequest(`'${name}' was not downloaded${origin}: it cannot be repaired`, "model")
}

/** Nothing is guessed: the error shows the spelling for the other sources. */
function withForms(
  error: ModelNotFound,
  model: string,
  { host, namespace, model: base, tag }: ModelName,
): ModelNotFound {
  const path = `${namespace}/${base}:${tag}`
  const isLibrary = host === OLLAMA_HOST && namespace === "library"
  const tried =
    host === HUGGING_FACE_HOST ? `hf:${path}` : host === OLLAMA_HOST ? `ollama:${path}` : `${host}/${path}`
  const others = isLibrary
    ? [`hf:NAMESPACE/${base}:${tag}`, `ollama:NAMESPACE/${base}:${tag}`]
    : [`hf:${path}`, `ollama:${path}`].filter((form) => form !== tried)
  const reason = error.message.replace(/^.*? not found/s, "")
  return new ModelNotFound(
    model,
    `${reason}; '${tried}' was tried; other places are named ${others.join(" or ")}`,
  )
}
