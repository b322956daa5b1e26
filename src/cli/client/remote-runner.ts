import type { Settings } from "../../config/resolve"
import { XllmError } from "../../errors/base"
import { UsageError } from "../../errors/cli"
import { ModelNotFound } from "../../errors/model"
import { Unsupported } from "../../errors/request"
import { nearest } from "../../lib/text/nearest"
import { isPath } from "../args/model-path"
import { ServerBackend } from "./server-backend"
import type { ServerClient } from "./server-client"
import type { ModelRunner } from "./runner"

/** The models of a running server. Models are created in this machine's folder, which is usually also the server's. */
export function remoteRunner(client: ServerClient, settings: Settings, isNamed: boolean): ModelRunner {
  return {
    backend: new ServerBackend(client),
    server: { name: client.name, isNamed },
    find: (model) => findOnServer(model, client),
    fromOf: async (model) => model,
    async openStore() {
      const { createStore } = await import("../../store")
      return createStore({ modelsFolder: settings.modelsFolder })
    },
    async setContextLength(tokens) {
      throw new Unsupported(
        `the server at ${client.name} sets the context size of its models: start it with --ctx ${tokens}, ` +
          "or /save NAME now and talk to that model",
      )
    },
  }
}

/** Errors of a server that has the model, but with unusable files. */
const UNUSABLE: ReadonlySet<string> = new Set(["model_load_failed", "invalid_model_file"])

/**
 * The server's name for a model, found by its rule for requests.
 * @throws ModelNotFound, UsageError for a path
 */
async function findOnServer(model: string, client: ServerClient): Promise<string> {
  if (isPath(model)) {
    throw new UsageError(`the server at ${client.name} accepts model names, not paths, got '${model}'`)
  }
  try {
    return (await client.model(model)).name
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
  const reason = message.replace(/^model '.*?' not found/s, "")
  const models = (await client.models()).map(({ id }) => id)
  if (models.length === 0) {
    const { FIRST_MODEL } = await import("../../store/hint")
    return `; the server at ${client.name} has no models yet: ${FIRST_MODEL}`
  }
  const near = nearest(model, models)
  return near === undefined ? ` on the server at ${client.name}${reason}` : `; did you mean '${near}'?`
}
