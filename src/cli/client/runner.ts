import { flagName } from "../../config/load"
import { readSettings, type Settings } from "../../config/resolve"
import { kvDiskSettings } from "../../config/sections/kv-disk"
import { logSettings } from "../../config/sections/log"
import { runSettings } from "../../config/sections/model"
import type { ModelBackend } from "../../engine/contract"
import { UsageError } from "../../errors/cli"
import type { Store } from "../../store/contract"
import { isPath } from "../args/model-path"
import type { Io } from "../terminal/io"
import { printable } from "../terminal/output"
import { ServerClient } from "./server-client"

/** Where a command runs models: a running server, or an engine in this process. */
export interface ModelRunner {
  readonly backend: ModelBackend
  /** The server; absent: models run in this process. */
  readonly server?: { readonly name: string; readonly isNamed: boolean }
  /**
   * Finds the model that the user refers to, and returns its name.
   * @throws ModelNotFound, UsageError for a path where only names are known
   */
  find(model: string): Promise<string>
  /** The value of FROM for a Modelfile that builds on a model. */
  fromOf(model: string): Promise<string>
  /** This machine's models, where new ones are created. */
  openStore(): Promise<Store>
  /**
   * Sets the context size, in tokens, for models loaded from now on; the next question reloads its model.
   * @throws Unsupported if a server decides this
   */
  setContextLength(tokens: number, model: string): Promise<void>
}

/**
 * Chooses the server if one answers at the configured address; otherwise, and for a path or adapters, this process. Warns of flags
 * that have no effect there.
 * @throws UsageError for a path together with `--host`; ApiKeyRefused by a server that the user names
 */
export async function openRunner(
  model: string,
  flags: Readonly<Record<string, unknown>>,
  io: Io,
): Promise<ModelRunner> {
  const settings = await readSettings(flags, io.environment)
  if (settings.loras.length > 0 && flags["lora"] !== undefined) {
    if (flags["host"] === undefined) return await openLocal(settings)
    throw new UsageError(
      `a server takes adapters by name (${model}@NAME), not as files; omit --host to use them here`,
    )
  }
  if (isPath(model)) {
    if (flags["host"] === undefined) return await openLocal(settings)
    throw new UsageError(`a server accepts model names, not paths; omit --host to run ${model} here`)
  }
  const location = settings.server
  const client = new ServerClient(location)
  const found = await client.look()
  if (found === "there") {
    warnOfLocalFlags(flags, client, io)
    const { remoteRunner } = await import("./remote-runner")
    return remoteRunner(client, settings, location.isNamed)
  }
  if (found !== "absent") {
    // Who names a server wants that one.
    if (location.isNamed) throw found
    io.writeError(`${found.message}; running the model without it\n`)
  } else if (location.isNamed)
    io.writeError(`no server answers at ${printable(client.name)}; running the model without one\n`)
  return await openLocal(settings)
}

async function openLocal(settings: Settings): Promise<ModelRunner> {
  const { startLocalRunner } = await import("./local-runner")
  return await startLocalRunner(settings)
}

/** A server has settings of its own, which these flags cannot change. */
function warnOfLocalFlags(flags: Readonly<Record<string, unknown>>, { name }: ServerClient, io: Io): void {
  const given = Object.keys({ ...runSettings, ...kvDiskSettings, ...logSettings }).filter(
    (key) => flags[key] !== undefined,
  )
  if (given.length === 0) return
  const names = given.map((key) => `--${flagName(key)}`).join(", ")
  io.writeError(
    `warning: ${names} ${given.length === 1 ? "has" : "have"} no effect: the server at ${printable(name)} has its own settings\n`,
  )
}
