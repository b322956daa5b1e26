import type { WorkRequest } from "../../domain/tasks"
import type { RequestOptions } from "../../domain/request"
import type { Engine } from "../../engine/contract"

/**
 * What a request without input is for: it loads its model, or, with a `keep_alive` of 0, unloads it.
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
    return "load"
  }
  await engine.stop(name)
  return "unload"
}
