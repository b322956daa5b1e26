import { signal } from "@preact/signals"
import { streamEvents } from "../api/client"
import { stored } from "../lib/stored"
import { uniqueId } from "../lib/unique-id"
import { imagesTexts } from "../texts/images"
import { toast, toastError } from "../ui/toasts"

/** What is to be drawn; empty texts leave a choice to the model. */
export interface Wish {
  readonly model: string
  readonly prompt: string
  readonly negative: string
  readonly size: string
  readonly steps: string
  readonly guidance: string
  readonly seed: string
  readonly count: string
  readonly strength: string
}

export const NO_WISH: Wish = {
  model: "",
  prompt: "",
  negative: "",
  size: "",
  steps: "",
  guidance: "",
  seed: "",
  count: "1",
  strength: "0.6",
}

/** A finished picture. The server keeps it for a while, and names it by a path that cannot be guessed. */
export interface Picture {
  readonly id: string
  readonly path: string
  readonly wish: Wish
  readonly seed: number
  readonly at: number
}

interface Progress {
  readonly image: number
  readonly count: number
  readonly step: number
  readonly steps: number
}

const MOST_PICTURES = 60

/** What is in the form; kept over a reload. */
export const wish = stored<Wish>("image-wish", NO_WISH, isWish)
export const source = signal<Blob | undefined>(undefined)
/** Newest first. */
export const pictures = stored<readonly Picture[]>(
  "images",
  [],
  (value) => Array.isArray(value) && value.every(isPicture),
)
/** Undefined: nothing is drawn. Without steps the model is awaited. */
export const progress = signal<Progress | "waiting" | undefined>(undefined)
export const shownId = signal<string | undefined>(undefined)

let current: AbortController | undefined

/** The events of the server that matter here, with the fields that are read. */
interface ImageEventBody {
  readonly type: string
  readonly image?: number
  readonly step?: number
  readonly steps?: number
  readonly seed?: number
  readonly url?: string
  readonly b64_json?: string
}

/** Draws what the form says; the pictures go to {@link pictures}. Never rejects. */
export async function draw(): Promise<void> {
  const asked = wish.value
  const given = source.value
  const count = Number(asked.count) || 1
  const leaving = new AbortController()
  current = leaving
  progress.value = "waiting"
  try {
    const path = given === undefined ? "/v1/images/generations" : "/v1/images/edits"
    const body = given === undefined ? fieldsOf(asked) : formOf(asked, given)
    for await (const event of streamEvents(path, { method: "POST", body, signal: leaving.signal })) {
      if (event.type === "comment") continue
      const data: ImageEventBody = JSON.parse(event.data)
      if (data.type.endsWith(".progress"))
        progress.value = { image: data.image ?? 0, count, step: data.step ?? 0, steps: data.steps ?? 1 }
      else if (data.type.endsWith(".completed")) add(data, asked)
    }
  } catch (error) {
    if (leaving.signal.aborted) toast(imagesTexts.peek().stopped)
    else toastError(error)
  }
  progress.value = undefined
  current = undefined
}

export function stopDrawing(): void {
  current?.abort()
}

export function forgetPicture(id: string): void {
  pictures.value = pictures.value.filter((picture) => picture.id !== id)
}

function add({ url, b64_json, seed = 0 }: ImageEventBody, asked: Wish): void {
  // The address may name the server as others reach it; here it is the one that the page came from.
  const path =
    url === undefined ? `data:image/png;base64,${b64_json ?? ""}` : new URL(url, location.href).pathname
  const picture: Picture = { id: uniqueId(), path, wish: asked, seed, at: Date.now() }
  pictures.value = [picture, ...pictures.value].slice(0, MOST_PICTURES)
  shownId.value = picture.id
}

/** The fields of a request. Those that are empty are left out. */
function fieldsOf(asked: Wish): Readonly<Record<string, string | number | boolean>> {
  const number = (name: string, text: string) => (text.trim() === "" ? {} : { [name]: Number(text) })
  return {
    model: asked.model,
    prompt: asked.prompt,
    ...(asked.negative.trim() !== "" && { negative_prompt: asked.negative }),
    ...(asked.size !== "" && { size: asked.size }),
    ...number("steps", asked.steps),
    ...number("cfg_scale", asked.guidance),
    ...number("seed", asked.seed),
    ...number("n", asked.count),
    // Kept by the server, and not by the browser: pictures are large.
    response_format: "url",
    stream: true,
  }
}

function formOf(asked: Wish, given: Blob): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries(fieldsOf(asked))) form.append(name, String(value))
  form.append("strength", asked.strength)
  form.append("image", given, "image.png")
  return form
}

function isWish(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false
  const fields = new Map(Object.entries(value))
  return Object.keys(NO_WISH).every((name) => typeof fields.get(name) === "string")
}

function isPicture(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false
  return "id" in value && "path" in value && "seed" in value && "wish" in value && isWish(value.wish)
}
