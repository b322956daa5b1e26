import type { MediaPart, PictureDetail } from "../../../domain/chat"
import { Unsupported } from "../../../errors/request"

/** Where the pictures and sounds of a request go while it is read. Paths in messages name the field. */
export interface MediaSink {
  /** `source`: a data: URL, base64, or a URL. @throws InvalidRequest, Unsupported */
  picture(path: string, source: unknown, detail?: PictureDetail): MediaPart
  /** `source`: the same without URLs. */
  sound(path: string, source: unknown): MediaPart
  /** What of both it is, the first bytes tell. */
  either(path: string, source: unknown): MediaPart
}

/** Of requests that cannot have any. */
export const TEXT_ONLY: MediaSink = {
  picture: (path) => refuse(path),
  sound: (path) => refuse(path),
  either: (path) => refuse(path),
}

function refuse(path: string): never {
  throw new Unsupported(`${path} is not text; only text is supported here`, path)
}
