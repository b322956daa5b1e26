import { readSettings, type Settings } from "../../config/resolve"
import { modelSettings } from "../../config/sections/model"
import type { ModelSettings } from "../../domain/settings"
import { XllmError } from "../../errors/base"
import { UsageError } from "../../errors/cli"
import { ModelNotFound } from "../../errors/model"
import { nearest } from "../../lib/text/nearest"
import { isPath } from "../args/model-path"
import type { Io } from "../terminal/io"
import { ServerClient } from "./server-client"
import { printable } from "../terminal/output"

/** Creates what a command works with: a client for a running server, or an engine in this process. */
export interface SourceMakers<S> {
  remote(client: ServerClient): Promise<S>
  local(settings: Settings): Promise<S>
}

/**
 * Chooses the server if one answers at the configured address; otherwise, and for a path, this process.
 * @throws UsageError for a path together with `--host`
 */
export async function chooseSource<S>(
  model: string,
  flags: Readonly<Record<string, unknown>>,
  io: Io,
  { remote, local }: SourceMakers<S>,
): Promise<S> {
  const settings = await readSettings(flags, io.environment)
  if (isPath(model)) {
    if (flags["host"] === undefined) return local(settings)
    throw new UsageError(`a server accepts model names, not paths; omit --host to run ${model} here`)
  }
  const location = settings.server
  const client = new ServerClient(location)
  if (await client.isThere()) return remote(client)
  if (location.isNamed)
    io.writeError(`no server answers at ${printable(client.name)}; running the model without one\n`)
  return local(settings)
}

/** This machine's models and an engine for a single user with one model. */
export async function startLocal(settings: Settings) {
  const [{ createLocal, liveOptions }, { createLogger }] = await Promise.all([
    import("../serve/compose"),
    import("../../log/logger"),
  ])
  const { logFormat, logLevel } = settings.quietLog
  const log = createLogger({ level: logLevel, ...(logFormat !== null && { format: logFormat }) })
  // A single user has one conversation: a KV cache for more would only cost time and memory.
  const { slots } = settings.anyModel.origins
  const onlyOne = slots.source === "default"
  let contextLength: number | undefined
  const adapt = (usual: ModelSettings): ModelSettings => ({
    ...usual,
    keepAliveSeconds: null,
    replicas: 1,
    ...(onlyOne && usual.slots === modelSettings.slots.fallback && { slots: 1 }),
    ...(contextLength !== undefined && { contextLength }),
  })
  const { engine, store } = await createLocal({ settings, log, adapt })
  return {
    engine,
    store,
    /** Sets the context size for models loaded from now on. */
    useContextLength(tokens: number): void {
      contextLength = tokens
      engine.reconfigure({ settingsOf: liveOptions(settings, adapt).settingsOf })
    },
  }
}

/** Errors of a server that has the model, but with unusable files. */
const UNUSABLE: ReadonlySet<string> = new Set(["model_load_failed", "invalid_model_file"])

/**
 * The server's name for a model, found by its rule for requests.
 * @throws ModelNotFound, UsageError for a path
 */
export async function findOnServer(model: string, client: ServerClient): Promise<string> {
  if (isPath(model)) {
    throw new UsageError(`the server at ${client.name} accepts model names, not paths, got '${model}'`)
  }
  try {
    return await client.nameOf(model)
  } catch (error) {
    if (!(error instanceof XllmError)) throw error
    // Using the model reports what is wrong with it.
    if (UNUSABLE.has(error.code)) return model
    if (error.code !== "model_not_found") throw error
    throw new ModelNotFound(model, await hintFor(model, error, client))
  }
}

/** Suggests the model that was probably meant; otherwise names the server, with its own hint. */
async function hintFor(model: string, { message }: XllmError, client: ServerClient): Promise<string> {
  const told = message.replace(/^model '.*?' not found/s, "")
  const models = await client.models()
  if (models.length === 0) {
    const { FIRST_MODEL } = await import("../../store/hint")
    return `; the server at ${client.name} has no models yet: ${FIRST_MODEL}`
  }
  const near = nearest(model, models)
  return near === undefined ? ` on the server at ${client.name}${told}` : `; did you mean '${near}'?`
}
