import { closeSync, openSync } from "node:fs"
import { stat } from "node:fs/promises"
import { effectiveSettings, unknownVariables } from "../../config/effective"
import type { Inputs } from "../../config/load"
import { settingsOfModel } from "../../config/model-settings"
import { findPaths } from "../../config/paths"
import {
  accessSettings,
  aliasesIn,
  capacity,
  imageSettings,
  imagesFolder,
  type ListenSettings,
  listenSettings,
  logFileOptions,
  logOptions,
  modelsFolder,
  modelsInFile,
} from "../../config/settings"
import type { ModelSettings } from "../../domain/settings"
import type { ManagedEngine } from "../../engine"
import { checkGenerates } from "../../engine/model-kinds"
import type { EngineObserver } from "../../engine/observer"
import { cacheFault } from "../../engine/residency/settings-check"
import { placeAndReason } from "../../errors/base"
import { UsageError } from "../../errors/cli"
import { InvalidSettings } from "../../errors/engine"
import { FileFailed } from "../../errors/store"
import type { ImageFiles, ImageLimits } from "../../http/image-files/image-files"
import type { Uploads } from "../../http/read/uploads"
import type { ListenOptions } from "../../http/server/listen"
import { systemCode } from "../../lib/system/system-reason"
import type { Logger, RootLogger } from "../../log/logger"
import type { Store } from "../../store/contract"
import { version } from "../../version"
import { nameOf } from "../args/model-path"
import { aliasProblems } from "../models/alias-problems"
import { missingModelFetcher } from "../pull/puller"
import type { Io } from "../terminal/io"
import { watchSignals } from "../terminal/signals"
import { createLocal, liveOptions } from "./compose"
import { LiveConfiguration } from "./reload"
import { type ServiceManager, serviceManager } from "./systemd"
import { printable } from "../terminal/output"

export interface ServerOptions {
  /** The inputs at startup. */
  readonly inputs: Inputs
  /** The command line's flags, reapplied when the file is reloaded. */
  readonly flags: Readonly<Record<string, unknown>>
  /** Models to load at startup, by name or path. */
  readonly models: readonly string[]
  readonly io: Io
}

/**
 * Serves until told to stop, then lets running answers finish. Resolves when all workers have ended.
 * @throws UsageError, CannotListen, and errors of `models` found before anything is loaded
 */
export async function runServer(options: ServerOptions): Promise<void> {
  const serverLog = await openLog(options.inputs)
  try {
    await serve(options, serverLog)
  } finally {
    await serverLog.close()
  }
}

async function serve({ inputs, flags, models, io }: ServerOptions, serverLog: ServerLog): Promise<void> {
  const { log } = serverLog
  const startedAt = new Date()
  let engine: ManagedEngine | undefined
  // From here on, so that a signal never finds a half-started server.
  using signals = watchSignals(() => killWorkers(engine))
  const { Metrics } = await import("../../metrics/metrics")
  const metrics = new Metrics({ version, startedAt })
  const parts = await prepare({ inputs, models, log, observer: metrics })
  engine = parts.engine
  metrics.measure(() => parts.engine.status())
  for (const problem of unknownVariables(inputs.environment))
    log.warn("unknown environment variable", { problem })

  let access = accessSettings(inputs)
  let images = imageSettings(inputs)
  const configuration = new LiveConfiguration({
    inputs,
    flags,
    log,
    apply(next) {
      checkModelSettings(next)
      access = accessSettings(next)
      images = imageSettings(next)
      log.setLevel(logOptions(next).logLevel)
      return parts.reconfigure(next)
    },
  })
  const [{ createApp }, { listen }, files] = await Promise.all([
    import("../../http/server/app"),
    import("../../http/server/listen"),
    openFiles(inputs, () => images, log),
  ])
  await using _files = files
  const app = createApp({ engine, version, startedAt, log, metrics, settings: () => access, ...files })
  const listener = await listen(app, toListenOptions(parts.address))
  using manager = serviceManager(inputs.environment)
  manager.status(`listening on ${printable(listener.url)}`)
  using _watch = configuration.watch()
  const started = Promise.withResolvers<void>()
  using hangups = watchHangups(io, () => {
    serverLog.reopen()
    void reload(configuration, manager, started.promise)
  })
  // Last: readers of this line may use the server at once.
  io.write(`xLLM is listening on ${printable(listener.url)}\n`)
  const ending = AbortSignal.any([signals.signal, hangups.signal])
  try {
    // From here on no model can end the server: one that fails to load is retried on its next request.
    void parts.engine.start(ending).then(started.resolve)
    void started.promise.then(() => ending.aborted || manager.ready())
    await aborted(ending)
  } finally {
    manager.stopping()
    const { shutdownTimeout } = capacity(configuration.inputs)
    log.info("stopping", { reason: String(ending.reason ?? "failure"), timeout_seconds: shutdownTimeout })
    // In this order: running answers, and refusals of new requests, still have to be sent.
    await engine.drain(shutdownTimeout * 1000)
    await listener.close()
  }
}

interface Files extends AsyncDisposable {
  readonly uploads: Uploads
  readonly images: ImageFiles
}

/** Opens the server's own files, and removes those left over by earlier servers. */
async function openFiles(inputs: Inputs, limits: () => ImageLimits, log: Logger): Promise<Files> {
  const [{ Uploads }, { ImageFiles }] = await Promise.all([
    import("../../http/read/uploads"),
    import("../../http/image-files/image-files"),
  ])
  const uploads = new Uploads(findPaths(inputs.environment).uploads)
  const images = new ImageFiles({ folder: imagesFolder(inputs), limits })
  // Text needs no files: a server whose home cannot be written serves it all the same.
  const warn = (error: unknown) =>
    log.warn("uploads and images cannot be stored", { reason: placeAndReason(error) })
  await Promise.all([uploads.start().catch(warn), images.start().catch(warn)])
  return {
    uploads,
    images,
    async [Symbol.asyncDispose]() {
      images.close()
      await uploads.close()
    },
  }
}

interface Parts {
  readonly engine: ManagedEngine
  readonly address: ListenSettings
  reconfigure(inputs: Inputs): readonly string[]
}

interface Preparation {
  readonly inputs: Inputs
  readonly models: readonly string[]
  readonly log: Logger
  readonly observer: EngineObserver
}

/** Checks the settings and the named models, so that all their errors are reported before the server listens. */
async function prepare({ inputs, models, log, observer }: Preparation): Promise<Parts> {
  const address = listenSettings(inputs)
  effectiveSettings(inputs)
  await checkImagesFolder(inputs)
  checkModelSettings(inputs)
  const names: string[] = []
  const adapt = (settings: ModelSettings, model: string) =>
    names.includes(model) ? { ...settings, preload: true } : settings
  let aliases = aliasesIn(inputs)
  const { engine, store } = await createLocal({ inputs, log, observer, adapt, aliases: () => aliases })
  const checkAliases = async () => {
    for (const problem of aliasProblems(await store.aliases())) log.warn("alias has no effect", { problem })
  }
  for (const model of models) {
    const name = await nameOf(model, store)
    checkGenerates(await store.describe(name))
    names.push(name)
  }
  // In the background: startup does not wait for these warnings.
  void tellOfNoModels(store, modelsFolder(inputs), log)
  store
    .tidy()
    .catch((error: unknown) =>
      log.warn("cleanup of the models directory failed", { reason: placeAndReason(error) }),
    )
  const failed = (error: unknown) => log.warn("aliases not checked", { reason: placeAndReason(error) })
  checkAliases().catch(failed)
  const reconfigure = (next: Inputs) => {
    aliases = aliasesIn(next)
    checkAliases().catch(failed)
    return engine.reconfigure({
      ...liveOptions(next, adapt),
      fetchMissing: missingModelFetcher(next, store, log),
    })
  }
  return { engine, address, reconfigure }
}

/**
 * Checks only a folder that the user has set: a server with a read-only home must still serve text. A missing one is
 * created when needed. @throws UsageError, FileFailed if it cannot hold images
 */
async function checkImagesFolder(inputs: Inputs): Promise<void> {
  const folder = imagesFolder(inputs)
  if (folder === findPaths(inputs.environment).images) return
  const facts = await stat(folder).catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return undefined
    throw new FileFailed("read", `the images directory ${folder}`, error)
  })
  if (facts?.isDirectory() === false) throw new UsageError(`the images directory ${folder} is not a folder`)
}

/** A server without models can answer nothing, so it tells its user how to get one. */
async function tellOfNoModels(store: Store, folder: string, log: Logger): Promise<void> {
  const models = await store.list().catch(() => undefined)
  if (models?.length !== 0) return
  const { FIRST_MODEL } = await import("../../store/hint")
  log.warn(`no models yet: ${FIRST_MODEL}`, { folder })
}

/** @throws InvalidSettings if no model could be loaded with these settings, or with the settings of one model */
function checkModelSettings(inputs: Inputs): void {
  for (const model of [undefined, ...modelsInFile(inputs)]) {
    const fault = cacheFault(settingsOfModel(inputs, { name: model ?? "" }))
    if (fault !== undefined) throw new InvalidSettings(fault, model)
  }
}

interface ServerLog {
  readonly log: RootLogger
  /** Called after the file was renamed, for example by logrotate: opens a new one. */
  reopen(): void
  close(): Promise<void>
}

async function openLog(inputs: Inputs): Promise<ServerLog> {
  const { createLogger } = await import("../../log/logger")
  const { logLevel: level, logFormat } = logOptions(inputs)
  const { logFile: path, logKeep: keep, logMaxSize: maxBytes } = logFileOptions(inputs)
  if (path === null) {
    const log = createLogger({ level, ...(logFormat !== null && { format: logFormat }) })
    return { log, reopen() {}, async close() {} }
  }
  const { LogFile } = await import("../../log/log-file")
  const file = new LogFile({ path, maxBytes, keep, otherwise: (line) => void process.stderr.write(line) })
  const write = (line: string) => file.write(line)
  const log = createLogger({ level, format: logFormat ?? "json", write })
  return { log, reopen: () => file.reopen(), close: () => file.close() }
}

function toListenOptions(address: ListenSettings): ListenOptions {
  return "socket" in address ? { unix: address.socket } : { host: address.hostname, port: address.port }
}

/** `started`: the service manager must not be told that the server is ready before this. */
async function reload(
  configuration: LiveConfiguration,
  manager: ServiceManager,
  started: Promise<void>,
): Promise<void> {
  manager.reloading()
  await configuration.reload()
  await started
  manager.ready()
}

interface Hangups extends Disposable {
  /** Aborted when the terminal that the server was started on is closed. */
  readonly signal: AbortSignal
}

/** SIGHUP reloads the configuration and reopens the log file, unless it comes from a closed terminal. */
function watchHangups({ stdinIsTerminal }: Io, onReload: () => void): Hangups {
  const controller = new AbortController()
  const listener = () => {
    if (stdinIsTerminal && !hasTerminal()) controller.abort("SIGHUP")
    else onReload()
  }
  process.on("SIGHUP", listener)
  return { signal: controller.signal, [Symbol.dispose]: () => void process.off("SIGHUP", listener) }
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"))
    return true
  } catch {
    return false
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener("abort", () => resolve(), { once: true })
  })
}

/** For an immediate exit: the engine would give each worker time. */
function killWorkers(engine: ManagedEngine | undefined): void {
  for (const { pid } of engine?.loaded() ?? []) {
    try {
      if (pid !== undefined) process.kill(pid, "SIGKILL")
    } catch {
      // It has already ended.
    }
  }
}
