import { afterEach } from "bun:test"
import { listen, type Listener } from "../../../src/http/server/listen"
import { fakeServer, type FakeServerOptions } from "../http"
import { IMAGE_MODEL, RECOGNIZER_MODEL, VOICE_MODEL } from "./fake-engine"

const running: Listener[] = []

/** Call once per test file: closes its servers after each test. */
export function closeMediaServers(): void {
  afterEach(async () => {
    await Promise.all(running.splice(0).map((listener) => listener.close()))
  })
}

/** A listening server with a tts, an asr and an image model, over a scripted engine. */
export async function mediaServer(options: FakeServerOptions = {}) {
  const { app, engine } = fakeServer(undefined, options)
  engine.mediaModels = [VOICE_MODEL, RECOGNIZER_MODEL, IMAGE_MODEL]
  const listener = await listen(app, { host: "127.0.0.1", port: 0 })
  running.push(listener)
  return { engine, url: listener.url }
}
