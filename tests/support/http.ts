import { join } from "node:path"
import { DEFAULT_HTTP_SETTINGS, type HttpSettings } from "../../src/http/context/settings"
import { ImageFiles, type ImageLimits } from "../../src/http/image-files/image-files"
import { Uploads } from "../../src/http/read/body/uploads"
import { type ResponseLimits, ResponseStore } from "../../src/http/response-store/response-store"
import { type AppOptions, createApp } from "../../src/http/server/app"
import { createLogger, type LogLevel } from "../../src/log/logger"
import { FakeEngine, type Script } from "./fakes/fake-engine"
import { tempFolder } from "./temp-folder"

export type Json = { readonly [name: string]: unknown }

export interface FakeServerOptions extends Pick<
  AppOptions,
  "metrics" | "userPage" | "library" | "owner" | "closing"
> {
  readonly settings?: Partial<HttpSettings>
  readonly logLevel?: LogLevel
  readonly imageLimits?: ImageLimits
  /** Absent: one that runs the script. */
  readonly engine?: FakeEngine
  /** For tests that share it between servers. */
  readonly uploadsFolder?: string
  readonly responseLimits?: Partial<ResponseLimits>
  /** The file of stored responses, for tests that share it between servers. */
  readonly responsesPath?: string
  /** Milliseconds: the clock for the images' ages. */
  readonly now?: () => number
}

/** Files of all test servers. */
const folder = tempFolder()
process.on("exit", () => folder[Symbol.dispose]())

let servers = 0

/** The server's routes over a scripted engine, without a socket. */
export function fakeServer(
  script?: Script,
  {
    settings,
    logLevel = "info",
    imageLimits,
    now,
    engine = new FakeEngine(script),
    ...options
  }: FakeServerOptions = {},
) {
  const own = join(folder.path, String(servers++))
  const uploadsFolder = options.uploadsFolder ?? join(own, "uploads")
  const logged: string[] = []
  let current = { ...DEFAULT_HTTP_SETTINGS, ...settings }
  const imagesFolder = join(own, "images")
  const uploads = new Uploads(uploadsFolder)
  const limits = imageLimits ?? { ttlSeconds: 3600, maxBytes: null }
  const images = new ImageFiles({
    folder: imagesFolder,
    limits: () => limits,
    ...(now !== undefined && { now }),
  })
  const log = createLogger({ level: logLevel, format: "json", write: (line) => void logged.push(line) })
  const { responseLimits, responsesPath = join(own, "responses", "responses.sqlite") } = options
  const keeping = { isEnabled: true, ttlSeconds: null, maxBytes: null, ...responseLimits }
  const responses = new ResponseStore({
    path: responsesPath,
    log,
    limits: () => keeping,
    ...(now !== undefined && { now }),
  })
  const app = createApp({
    ...options,
    engine,
    version: "1.2.3",
    startedAt: new Date(),
    uploads,
    images,
    responses,
    settings: () => current,
    log,
  })
  return {
    app,
    engine,
    images,
    responses,
    responsesPath,
    uploads,
    imagesFolder,
    uploadsFolder,
    /** The log's lines. */
    logged,
    /** Changes settings while the server runs. */
    change: (changes: Partial<HttpSettings>) => void (current = { ...current, ...changes }),
    get: (path: string, init: RequestInit = {}) => app.handle(new Request(`http://localhost${path}`, init)),
    post: (path: string, body: unknown, init: RequestInit = {}) => app.handle(postRequest(path, body, init)),
    postForm: (path: string, parts: FormParts, init: RequestInit = {}) =>
      app.handle(formRequest(path, formOf(parts), init)),
  }
}

/** A POST with a JSON body; a string is sent unchanged. */
export function postRequest(path: string, body: unknown, init: RequestInit = {}): Request {
  return new Request(`http://localhost${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...init,
  })
}

export async function jsonOf(response: Response | Promise<Response>): Promise<Json> {
  // Tests check the shape of answers.
  return (await (await response).json()) as Json
}

/** The `error` of a response, with its status. */
export async function errorOf(response: Response | Promise<Response>): Promise<Json> {
  const { status } = await response
  return { status, ...((await jsonOf(response))["error"] as Json) }
}

/** The events in a stream's text: parsed data, `[DONE]`, and comments with their colon. */
export function eventsOf(text: string): readonly (Json | string)[] {
  return text
    .split("\n\n")
    .filter((event) => event !== "")
    .map((event) => {
      if (event.startsWith(":")) return event
      const data = event.slice("data: ".length)
      return data === "[DONE]" ? data : (JSON.parse(data) as Json)
    })
}

/** The data in a stream's text, without comments and `[DONE]`. */
export function chunksOf(text: string): readonly Json[] {
  return eventsOf(text).filter((event): event is Json => typeof event !== "string")
}

/** Reads a response's body chunk by chunk. */
export function readerOf(response: Response) {
  const reader = response.body?.getReader()
  if (reader === undefined) throw new Error("the response has no body")
  const decoder = new TextDecoder()
  return {
    async next(): Promise<string | undefined> {
      const { value, done } = await reader.read()
      return done ? undefined : decoder.decode(value)
    },
    cancel: () => reader.cancel(),
  }
}

export const USER_HI = [{ role: "user", content: "Hi" }]

type FormParts = Readonly<Record<string, FormPart | readonly FormPart[]>>
type FormPart = string | File

/** A form with these parts; a list becomes one part per value. */
function formOf(parts: FormParts): FormData {
  const form = new FormData()
  for (const [name, values] of Object.entries(parts)) {
    for (const value of [values].flat()) form.append(name, value)
  }
  return form
}

/** A POST with a form. */
export function formRequest(path: string, form: FormData, init: RequestInit = {}): Request {
  return new Request(`http://localhost${path}`, { method: "POST", body: form, ...init })
}
