import type { MediaPart } from "../../domain/chat"
import { COUNTS } from "../../limits"
import type { Fields } from "../read/fields"
import type { MediaSink } from "../read/media/media-sink"

/** A list of images in base64, which come before the text, as in Ollama's own prompts. @throws InvalidRequest, Unsupported */
export function readImages(fields: Fields, path: string, media: MediaSink): readonly MediaPart[] {
  const given = fields.list("images", COUNTS.contentParts) ?? []
  return given.map((image, index) => media.picture(`${path}images[${index}]`, image))
}
