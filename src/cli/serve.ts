import { logSettings, modelSettings, serverSettings, storeSettings } from "../config/schema"
import { listenSettings, logOptions } from "../config/settings"
import type { Engine } from "../engine"
import { version } from "../version"
import { defineCommand } from "./command"
import { type FlagValues, grouped } from "./flags"
import { watchInterrupts } from "./interrupts"
import type { Io } from "./io"
import { nameOf } from "./model-path"

const flagTable = {
  ...serverSettings,
  ...storeSettings,
  ...logSettings,
  ...grouped(modelSettings, "Loading models"),
}

export const command = defineCommand({
  name: "serve",
  summary: "Start the server",
  words: "[MODEL…]",
  minimumWords: 0,
  details: `Serves the models of the models folder over HTTP, as OpenAI's API; each is loaded when it is first asked for.
A MODEL named here, by its name or the path of a GGUF, is loaded at once; where that fails the server ends.

Every flag has a variable: XLLM_PORT for --port, XLLM_GPU_LAYERS for --gpu-layers. Ctrl-C or SIGTERM ends it.`,
  examples: [
    { line: "xllm serve", does: "the models in ~/.xllm/models, each loaded when it is asked for" },
    { line: "xllm serve ./model.gguf --ctx 16k", does: "one file, for conversations of up to 16,384 tokens" },
    { line: "xllm serve --host 0.0.0.0 --port 8080", does: "for the whole network" },
  ],
  flags: flagTable,
  async run({ flags, words, io }) {
    const startedAt = new Date()
    // From here on, so that no signal finds half of a server.
    using interrupts = watchInterrupts()
    const { engine, log, names, settings } = await prepare(flags, words, io)
    const [{ createApp }, { listen }, { DEFAULT_HTTP_SETTINGS }] = await Promise.all([
      import("../http/app"),
      import("../http/listen"),
      import("../http/settings"),
    ])
    const { corsOrigins, hostname, port } = settings
    const httpSettings = { ...DEFAULT_HTTP_SETTINGS, corsOrigins }
    const app = createApp({ engine, version, startedAt, log, settings: () => httpSettings })
    const listener = await listen(app, { host: hostname, port })
    io.write(`xLLM is listening on ${listener.url}\n`)
    try {
      await Promise.race([aborted(interrupts.signal), preloadFailure(engine, names, interrupts.signal)])
    } finally {
      // In this order: running answers end with an error event, which still has to be sent.
      await engine.close()
      await listener.close()
    }
  },
})

/** Everything that can be wrong with the command line is found here, before the server listens. */
async function prepare(flags: FlagValues<typeof flagTable>, models: readonly string[], io: Io) {
  const settings = listenSettings(flags, io.environment)
  const { logFormat, logLevel } = logOptions(flags, io.environment)
  const [{ createLocal }, { createLogger }] = await Promise.all([import("./local"), import("../log/logger")])
  const log = createLogger({ level: logLevel, ...(logFormat !== null && { format: logFormat }) })
  const { queueLimit } = settings
  const { engine, store } = createLocal({ flags, environment: io.environment, log, queueLimit })
  const names: string[] = []
  for (const model of models) {
    const name = await nameOf(model, store)
    await store.describe(name)
    names.push(name)
  }
  return { engine, log, names, settings }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener("abort", () => resolve(), { once: true })
  })
}

/** Loads models one after another; settles only where one fails. */
async function preloadFailure(engine: Engine, names: readonly string[], signal: AbortSignal): Promise<never> {
  for (const name of names) await engine.preload(name, signal)
  return await new Promise<never>(() => {})
}
