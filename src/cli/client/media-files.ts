import { readFileSync, statSync } from "node:fs"
import { homedir } from "node:os"
import { resolve } from "node:path"
import type { MediaPart } from "../../domain/chat"
import { FileFailed } from "../../errors/store"
import { UsageError } from "../../errors/cli"
import type { JsonRecord } from "../../lib/json"
import { formatSize } from "../../lib/text/bytes"
import { BODY_BYTES } from "../../limits"
import { printable } from "../terminal/output"

const SOUNDS = /\.(?:wav|mp3|flac|ogg|opus)$/i

/** A file with a picture or a sound that the user names. @throws UsageError if there is none */
export function mediaFile(given: string, type?: MediaPart["type"]): MediaPart {
  const path = resolve(withHome(given))
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) throw new UsageError(`there is no file '${given}'`)
  if (!found.isFile()) throw new UsageError(`'${given}' is not a file`)
  if (found.size === 0) throw new UsageError(`'${given}' is empty`)
  // Of a request to a server, which gets base64; a larger one would fill the memory here first.
  const most = (BODY_BYTES.withMedia / 4) * 3
  if (found.size > most)
    throw new UsageError(
      `'${given}' has ${formatSize(found.size)}; at most ${formatSize(most)} can be shown to a model`,
    )
  return { type: type ?? (SOUNDS.test(path) ? "audio" : "image"), path }
}

/** A prompt, and the files that it named. */
interface PromptWithFiles {
  readonly text: string
  readonly media: readonly MediaPart[]
  /** As they were written. */
  readonly names: readonly string[]
  /** Those of files that the model cannot perceive, which stay text. */
  readonly unseen: readonly string[]
}

/**
 * Paths that begin with `/`, `./`, `../` or `~/`, in quotes or with escaped spaces, as terminals insert them for files
 * that are dropped on them.
 */
const PATHS =
  /(?<=^|\s)(?:'((?:\.{1,2}|~)?\/[^'\n]+)'|"((?:\.{1,2}|~)?\/[^"\n]+)"|((?:\.{1,2}|~)?\/(?:\\.|[^\s\\'"])+))(?=$|[\s,;:?!.])/g

const PICTURES = /\.(?:jpe?g|png|webp|gif|bmp)$/i

/** Takes paths of existing pictures and sounds out of a prompt. Everything else stays as it is. */
export function takeFiles(prompt: string, senses: Senses): PromptWithFiles {
  const media: MediaPart[] = []
  const names: string[] = []
  const unseen: string[] = []
  const text = prompt.replace(PATHS, (whole, single?: string, double?: string, plain?: string) => {
    const path = (single ?? double ?? plain?.replace(/\\(.)/g, "$1") ?? "").replace(/[,;:?!.]+$/, "")
    const rest = plain === undefined ? "" : (/[,;:?!.]+$/.exec(plain)?.[0] ?? "")
    const type = PICTURES.test(path) ? "image" : SOUNDS.test(path) ? "audio" : undefined
    if (type === undefined || !isFile(path)) return whole
    if (!(type === "image" ? senses.sees : senses.hears)) {
      unseen.push(path)
      return whole
    }
    media.push(mediaFile(path))
    names.push(path)
    return rest
  })
  return { text: media.length === 0 ? prompt : text.trim(), media, names, unseen }
}

function isFile(path: string): boolean {
  return statSync(resolve(withHome(path)), { throwIfNoEntry: false })?.isFile() === true
}

/** Is there anything like a path of a picture or a sound? Then the model has to be asked whether it can perceive it. */
export function mayNameFiles(prompt: string): boolean {
  return takeFiles(prompt, { sees: true, hears: true }).media.length > 0
}

interface Senses {
  readonly sees: boolean
  readonly hears: boolean
}

export function sensesOf({ capabilities }: { readonly capabilities: readonly string[] }): Senses {
  return { sees: capabilities.includes("vision"), hears: capabilities.includes("audio") }
}

/** What is said when files are added. */
export function addedText(names: readonly string[]): string {
  return names.map((name) => `Added image '${name}'\n`).join("")
}

/** What is said when files are not: their paths alone would be taken for the files. */
export function unseenText(model: string, paths: readonly string[]): string {
  return paths
    .map(
      (path) =>
        `Note: model '${printable(model)}' gets the path '${printable(path)}' only, not what is in the file\n`,
    )
    .join("")
}

/** A part of a message for a server, which cannot read this machine's files. @throws FileFailed */
export function toMediaBody({ type, path, detail }: MediaPart): JsonRecord {
  const data = readBase64(path)
  if (type === "audio") return { type: "input_audio", input_audio: { data } }
  const url = `data:application/octet-stream;base64,${data}`
  return { type: "image_url", image_url: { url, ...(detail !== undefined && { detail }) } }
}

function readBase64(path: string): string {
  try {
    return readFileSync(path, "base64")
  } catch (error) {
    throw new FileFailed("read", path, error)
  }
}

function withHome(path: string): string {
  return path.startsWith("~/") ? homedir() + path.slice(1) : path
}
