import type { Content, MediaPart } from "../../domain/chat"
import { COUNTS } from "../../limits"
import type { Fields } from "../read/fields"
import type { MediaSink } from "../read/media/media-sink"

/** A list of images in base64. @throws InvalidRequest, Unsupported */
export function readImages(fields: Fields, path: string, media: MediaSink): readonly MediaPart[] {
  const given = fields.list("images", COUNTS.contentParts) ?? []
  return given.map((image, index) => media.picture(`${path}images[${index}]`, image))
}

/** Images come first, as in Ollama's own prompts. */
export function withImages(images: readonly MediaPart[], text: string): Content {
  if (images.length === 0) return text
  return text === "" ? images : [...images, { type: "text", text }]
}
