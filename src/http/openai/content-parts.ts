import type { ContentPart, MediaPart, PictureDetail } from "../../domain/chat"
import { InvalidRequest, Unsupported } from "../../errors/request"
import { shorten } from "../../lib/text/shorten"
import { SHOWN, TEXTS } from "../../limits"
import { isJsonObject, type JsonObject } from "../read/body/json-body"
import { checkText, Fields, invalidField } from "../read/fields"
import type { MediaSink } from "../read/media/media-sink"

const DETAILS = ["auto", "low", "high"] as const satisfies readonly PictureDetail[]

/** Reads a part of a chat message's content. @throws InvalidRequest, Unsupported */
export function readPart(path: string, part: unknown, media: MediaSink): ContentPart {
  if (!isJsonObject(part)) throw invalidField(path, "an object with a type", part)
  const { type } = part
  switch (type) {
    case "text":
    case "refusal":
      return { type: "text", text: checkText(`${path}.${type}`, part[type], TEXTS.prompt) }
    case "image_url":
      return readPicturePart(path, part, media)
    case "input_audio":
      return readSound(path, part, media)
    default:
      if (typeof type !== "string") throw invalidField(`${path}.type`, "a string", type)
      throw new Unsupported(
        `${path} has type ${JSON.stringify(shorten(type, SHOWN.value))}; supported are text, image_url and input_audio`,
        path,
      )
  }
}

/** `image_url` of chats is an object with `url` and `detail`; responses have both in the part itself. */
export function readPicturePart(path: string, part: JsonObject, media: MediaSink): MediaPart {
  const given = part["image_url"] ?? undefined
  const fileId = part["file_id"] ?? undefined
  if (fileId !== undefined)
    throw new Unsupported(`${path}.file_id is not supported: there is no store of files`, path)
  if (given === undefined) throw new InvalidRequest(`${path}.image_url is required`, path)
  const isObject = isJsonObject(given)
  const place = isObject ? `${path}.image_url.` : `${path}.`
  const fields = new Fields(isObject ? given : part, place)
  const detail = fields.choice("detail", DETAILS)
  return isObject
    ? media.picture(`${place}url`, given["url"], detail)
    : media.picture(`${path}.image_url`, given, detail)
}

function readSound(path: string, part: JsonObject, media: MediaSink): MediaPart {
  const fields = new Fields(part, `${path}.`)
  const sound = fields.object("input_audio")
  if (sound === undefined) throw new InvalidRequest(`${path}.input_audio is required`, path)
  // `format` says nothing that the content does not.
  return media.sound(`${path}.input_audio.data`, sound["data"])
}
