import type { WorkRequest } from "../../domain/tasks"
import type { RequestOptions } from "../../domain/request"
import type { Engine } from "../../engine/contract"

/**
 * What a request without input is for: it loads its model, or, with a `keep_alive` of 0, unloads it once it is idle.
 * @param kind of the requests that the model is for
 * @returns which of the two was done
 */
export async function loadOrUnload(
  engine: Engine,
  { model, keepAliveSeconds }: Pick<RequestOptions, "model" | "keepAliveSeconds">,
  kind: WorkRequest["kind"],
  signal: AbortSignal,
): Promise<"load" | "unload"> {
  const { name } = await engine.resolve(model, kind)
  if (keepAliveSeconds !== 0) {
    await engine.preload(name, signal)
    if (keepAliveSeconds !== undefined) await engine.keep(name, keepAliveSeconds)
    return "load"
  }
  // Other clients' requests are not this one's to end.
  if (isInUse(engine, name)) await engine.keep(name, 0)
  else await engine.stop(name)
  return "unload"
}

function isInUse(engine: Engine, model: string): boolean {
  return engine
    .loaded()
    .some(({ name, activeRequests, queuedRequests }) => name === model && activeRequests + queuedRequests > 0)
}
