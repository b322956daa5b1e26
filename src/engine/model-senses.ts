import { requestMedia } from "../domain/content"
import type { ModelDetails } from "../domain/model"
import { isGenerationRequest, type WorkRequest } from "../domain/tasks"
import { NotPerceived } from "../errors/request"

const CAPABILITIES = { image: "vision", audio: "audio" } as const

/**
 * Refuses pictures and sounds for a model that cannot perceive them, before it is loaded.
 * @throws NotPerceived
 */
export async function refuseUnperceived(
  request: WorkRequest,
  describe: () => Promise<ModelDetails>,
): Promise<void> {
  const media = isGenerationRequest(request) ? requestMedia(request) : []
  if (media.length === 0) return
  const { name, capabilities } = await describe()
  const unseen = media.find(({ type }) => !capabilities.includes(CAPABILITIES[type]))
  if (unseen !== undefined) throw new NotPerceived(name, unseen.type)
}
