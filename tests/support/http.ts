import { type AppOptions, createApp } from "../../src/http/app"
import { DEFAULT_HTTP_SETTINGS, type HttpSettings } from "../../src/http/settings"
import { createLogger, type LogLevel } from "../../src/log/logger"
import { FakeEngine, type Script } from "./fake-engine"

export type Json = { readonly [name: string]: unknown }

export interface FakeServerOptions extends Pick<AppOptions, "metrics"> {
  readonly settings?: Partial<HttpSettings>
  readonly logLevel?: LogLevel
}

/** The server's routes over a scripted engine, without a socket. */
export function fakeServer(
  script?: Script,
  { settings, logLevel = "info", ...options }: FakeServerOptions = {},
) {
  const engine = new FakeEngine(script)
  const logged: string[] = []
  let current = { ...DEFAULT_HTTP_SETTINGS, ...settings }
  const app = createApp({
    ...options,
    engine,
    version: "1.2.3",
    startedAt: new Date(),
    settings: () => current,
    log: createLogger({ level: logLevel, format: "json", write: (line) => void logged.push(line) }),
  })
  return {
    app,
    engine,
    /** Lines of the log. */
    logged,
    /** Changes settings while the server runs. */
    change: (changes: Partial<HttpSettings>) => void (current = { ...current, ...changes }),
    get: (path: string, init: RequestInit = {}) => app.handle(new Request(`http://localhost${path}`, init)),
    post: (path: string, body: unknown, init: RequestInit = {}) => app.handle(postRequest(path, body, init)),
  }
}

/** A POST with a JSON body; a string is sent as it is. */
export function postRequest(path: string, body: unknown, init: RequestInit = {}): Request {
  return new Request(`http://localhost${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...init,
  })
}

export async function jsonOf(response: Response | Promise<Response>): Promise<Json> {
  // What the routes answer is what the tests look at.
  return (await (await response).json()) as Json
}

/** The `error` of a response, with its status. */
export async function errorOf(response: Response | Promise<Response>): Promise<Json> {
  const { status } = await response
  return { status, ...((await jsonOf(response))["error"] as Json) }
}

/** The events of a stream's text: parsed data, `[DONE]`, and comments with their colon. */
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

/** The data of a stream's text without its comments and its end. */
export function chunksOf(text: string): readonly Json[] {
  return eventsOf(text).filter((event): event is Json => typeof event !== "string")
}

/** Reads a response's body piece by piece. */
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
