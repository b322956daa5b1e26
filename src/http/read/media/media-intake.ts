import { rm, writeFile } from "node:fs/promises"
import type { MediaPart, PictureDetail } from "../../../domain/chat"
import { StorageFailed } from "../../../errors/engine"
import { InvalidRequest, PayloadTooLarge, Unsupported } from "../../../errors/request"
import { breathe } from "../../../lib/async/breathe"
import { formatSize } from "../../../lib/text/bytes"
import { BODY_BYTES } from "../../../limits"
import { type RequestContext, requestContextOf } from "../../context/request-context"
import type { CurrentSettings, VisionSettings } from "../../context/settings"
import { type JsonObject, readSizedObject } from "../body/json-body"
import type { Uploads } from "../body/uploads"
import { invalidField } from "../fields"
import { fetchPicture } from "./fetch-picture"
import type { MediaSink } from "./media-sink"

/** What the routes that take pictures have at hand. */
export interface MediaContext {
  readonly uploads: Uploads
  readonly settings: CurrentSettings
}

/**
 * Reads a request's JSON, and writes its pictures and sounds to files, which are deleted after the response.
 * @throws what `read` throws; InvalidRequest, PayloadTooLarge, Unsupported, StorageFailed
 */
export async function readingMedia<T>(
  { uploads, settings }: MediaContext,
  request: Request,
  read: (body: JsonObject, media: MediaSink) => T | Promise<T>,
): Promise<T> {
  const { body, bytes } = await readSizedObject(request, BODY_BYTES.withMedia)
  const intake = new MediaIntake(uploads, settings().vision, requestContextOf(request))
  const call = await read(body, intake)
  if (bytes - intake.characters > BODY_BYTES.generation) throw new PayloadTooLarge(BODY_BYTES.generation)
  await intake.store()
  return call
}

/** Of base64: 18 bytes. */
const SNIFFED_CHARACTERS = 24

/** WAV, FLAC, Ogg, and MP3 with or without tags. */
function isSound(start: Buffer): boolean {
  const text = start.toString("latin1")
  return /^(RIFF....WAVE|fLaC|OggS|ID3|\xff[\xe2-\xff])/s.test(text)
}

interface Waiting {
  readonly file: string
  /** The field that it is from. */
  readonly path: string
  readonly load: () => Uint8Array | Promise<Uint8Array>
}

class MediaIntake implements MediaSink {
  readonly #uploads: Uploads
  readonly #limits: VisionSettings
  readonly #requestContext: RequestContext
  readonly #waiting: Waiting[] = []
  /** Of all that it was given. */
  characters = 0

  constructor(uploads: Uploads, limits: VisionSettings, requestContext: RequestContext) {
    this.#uploads = uploads
    this.#limits = limits
    this.#requestContext = requestContext
  }

  picture(path: string, source: unknown, detail?: PictureDetail): MediaPart {
    const file = this.#take(path, source, true)
    return { type: "image", path: file, ...(detail !== undefined && { detail }) }
  }

  sound(path: string, source: unknown): MediaPart {
    return { type: "audio", path: this.#take(path, source, false) }
  }

  either(path: string, source: unknown): MediaPart {
    const start = typeof source === "string" && /^data:/i.test(source) ? source.indexOf(",") + 1 : 0
    const first = typeof source === "string" ? source.slice(start, start + SNIFFED_CHARACTERS) : ""
    return isSound(Buffer.from(first, "base64")) ? this.sound(path, source) : this.picture(path, source)
  }

  async store(): Promise<void> {
    if (this.#waiting.length === 0) return
    await this.#uploads.ready()
    this.#requestContext.afterwards(() =>
      Promise.all(this.#waiting.map(({ file }) => rm(file, { force: true }))),
    )
    // One at a time: decoding each takes the event loop for milliseconds.
    for (const { file, path, load } of this.#waiting) {
      const bytes = await load()
      if (bytes.length === 0) throw new InvalidRequest(`${path} is empty`, path)
      await writeFile(file, bytes, { flag: "wx", mode: 0o600 }).catch((error: unknown) => {
        throw new StorageFailed("the uploaded file", error)
      })
      await breathe()
    }
  }

  /** Returns where its content will be. */
  #take(path: string, source: unknown, allowsUrls: boolean): string {
    if (typeof source !== "string") throw invalidField(path, "a data: URL or base64", source)
    const { maxFiles } = this.#limits
    if (this.#waiting.length === maxFiles)
      throw new InvalidRequest(
        `the request has more than ${maxFiles} images and sounds (the server's vision.max_files); leave out older ones`,
        path,
      )
    this.characters += source.length
    const file = this.#uploads.pathFor("")
    this.#waiting.push({ file, path, load: this.#loaderOf(path, source, allowsUrls) })
    return file
  }

  #loaderOf(path: string, source: string, allowsUrls: boolean): Waiting["load"] {
    const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(source.slice(0, 32))?.[1]?.toLowerCase()
    if (scheme === undefined) return this.#base64(path, source, 0)
    if (scheme === "data") return this.#base64(path, source, endOfHead(path, source))
    if (!allowsUrls || (scheme !== "http" && scheme !== "https"))
      throw new Unsupported(`${path} is a ${scheme}: URL; send the content as a data: URL`, path)
    const { fetchesUrls, maxBytes } = this.#limits
    if (!fetchesUrls)
      throw new Unsupported(
        `${path} is a URL, which this server does not load (vision.fetch_urls); send the image as a data: URL`,
        path,
      )
    return () => fetchPicture(path, source, { maxBytes })
  }

  #base64(path: string, source: string, start: number): Waiting["load"] {
    const { maxBytes } = this.#limits
    // Of the text; what it says is known once it is decoded.
    const sizeBytes = Math.floor(((source.length - start) * 3) / 4)
    if (sizeBytes > maxBytes + 2)
      throw new InvalidRequest(
        `${path} has ${formatSize(sizeBytes)}; at most ${formatSize(maxBytes)} are accepted (the server's vision.max_bytes)`,
        path,
      )
    return () => decodeBase64(path, source.slice(start))
  }
}

/** Where the base64 of a data: URL begins. Its type is not trusted: the content tells. */
function endOfHead(path: string, url: string): number {
  const head = /^data:[^,]{0,256};base64,/i.exec(url.slice(0, 300))?.[0]
  if (head !== undefined) return head.length
  throw new InvalidRequest(`${path} must be a data: URL with base64, as in data:image/png;base64,…`, path)
}

function decodeBase64(path: string, text: string): Uint8Array {
  try {
    const alphabet = /[-_]/.test(text) ? "base64url" : "base64"
    return Uint8Array.fromBase64(text, { alphabet })
  } catch {
    throw new InvalidRequest(`${path} is not valid base64`, path)
  }
}
