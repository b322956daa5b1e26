import type { Content, GenerationRequest, MediaPart } from "./chat"

/** Separates text parts, as in llama-server and vLLM for templates that take plain text. */
const BETWEEN_PARTS = "\n"

/** The text of a message. */
export function textOf(content: Content): string {
  if (typeof content === "string") return content
  return content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join(BETWEEN_PARTS)
}

/** The pictures and sounds of a request, in their order. */
export function requestMedia(request: GenerationRequest): readonly MediaPart[] {
  if (request.kind === "completion") return request.media?.parts ?? []
  return request.messages.flatMap(({ content }) => mediaOf(content))
}

/** A text behind what it is about. */
export function contentOf(media: readonly MediaPart[], text: string): Content {
  if (media.length === 0) return text
  return text === "" ? media : [...media, { type: "text", text }]
}

export function hasMedia(content: Content): boolean {
  return mediaOf(content).length > 0
}

/** The same of a message. */
function mediaOf(content: Content): readonly MediaPart[] {
  return typeof content === "string" ? [] : content.filter((part) => part.type !== "text")
}
