import { closeSync, openSync } from "node:fs"
import { stat } from "node:fs/promises"
import { effectiveSettings, unknownVariables } from "../../config/effective"
import type { Settings } from "../../config/resolve"
import type { ListenSettings } from "../../config/settings"
import type { ModelSettings } from "../../domain/settings"
import type { ManagedEngine } from "../../engine"
import { checkGenerates } from "../../engine/model-kinds"
import type { EngineObserver } from "../../engine/observer"
import { conflictIn } from "../../engine/residency/settings-check"
import { placeAndReason } from "../../errors/base"
import { UsageError } from "../../errors/cli"
import { InvalidSettings } from "../../errors/engine"
import { FileFailed } from "../../errors/store"
import type { ImageFiles, ImageLimits } from "../../http/image-files/image-files"
import type { Uploads } from "../../http/read/body/uploads"
import type { ResponseLimits, ResponseStore } from "../../http/response-store/response-store"
import type { ListenOptions } from "../../http/server/listen"
import type { UserPage } from "../../http/web/user-page"
import { systemCode } from "../../lib/system/system-reason"
import type { LogTail } from "../../log/log-tail"
import type { Logger, RootLogger } from "../../log/logger"
import type { Store } from "../../store/contract"
import { version } from "../../version"
import { nameOf } from "../args/model-path"
import { aliasProblems } from "../models/alias-problems"
import { missingModelFetcher } from "../pull/puller"
import type { Io } from "../terminal/io"
import { watchSignals } from "../terminal/signals"
import { checkAdaptersOf, createLocal, liveOptions } from "./compose"
import { serverLibrary } from "./library"
import { LiveConfiguration } from "./reload"
import { type ServiceManager, serviceManager } from "./systemd"
import { printable } from "../terminal/output"

export interface ServerOptions {
  /** The settings at startup. */
  readonly settings: Settings
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
  const serverLog = await openLog(options.settings)
  try {
    await serve(options, serverLog)
  } finally {
    await serverLog.close()
  }
}

async function serve({ settings, flags, models, io }: ServerOptions, serverLog: ServerLog): Promise<void> {
  const { log, tail } = serverLog
  const startedAt = new Date()
  let engine: ManagedEngine | undefined
  // From here on, so that a signal never finds a half-started server.
  using signals = watchSignals(() => killWorkers(engine))
  const { Metrics } = await import("../../metrics/metrics")
  const metrics = new Metrics({ version, startedAt })
  const parts = await prepare({ settings, models, log, observer: metrics })
  engine = parts.engine
  metrics.measure(() => parts.engine.status())
  for (const problem of unknownVariables(settings.environment))
    log.warn("unknown environment variable", { problem })

  let access = settings.access
  let images = settings.images
  let current = settings
  const configuration = new LiveConfiguration({
    settings,
    flags,
    log,
    apply(next) {
      checkModelSettings(next)
      access = next.access
      images = next.images
      current = next
      log.setLevel(next.log.logLevel)
      return parts.reconfigure(next)
    },
  })
  const [{ createApp }, { listen }, files] = await Promise.all([
    import("../../http/server/app"),
    import("../../http/server/listen"),
    openFiles(settings, { images: () => images, responses: () => current.responses }, log),
  ])
  await using _files = files
  const userPage = await openUserPage(settings)
  const library = serverLibrary(() => current, parts.store, log)
  const closing = new AbortController()
  const app = createApp({
    engine,
    version,
    startedAt,
    log,
    metrics,
    library,
    settings: () => access,
    userPage,
    owner: { settings: () => effectiveSettings(current.inputs), log: () => tail.lines },
    closing: closing.signal,
    ...files,
  })
  const listener = await listen(app, toListenOptions(parts.address))
  using manager = serviceManager(settings.environment)
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
    closing.abort()
    manager.stopping()
    const { shutdownTimeout } = configuration.settings.capacity
    log.info("stopping", { reason: String(ending.reason ?? "failure"), timeout_seconds: shutdownTimeout })
    // In this order: running answers, and refusals of new requests, still have to be sent.
    await engine.drain(shutdownTimeout * 1000)
    await listener.close()
  }
}

interface Files extends AsyncDisposable {
  readonly uploads: Uploads
  readonly images: ImageFiles
  readonly responses: ResponseStore
}

/** What may change while the server runs. */
interface FileLimits {
  readonly images: () => ImageLimits
  readonly responses: () => ResponseLimits
}

/** Opens the server's own files, and removes those left over by earlier servers. */
async function openFiles(settings: Settings, limits: FileLimits, log: Logger): Promise<Files> {
  const [{ Uploads }, { ImageFiles }, { ResponseStore }] = await Promise.all([
    import("../../http/read/body/uploads"),
    import("../../http/image-files/image-files"),
    import("../../http/response-store/response-store"),
  ])
  const uploads = new Uploads(settings.paths.uploads)
  const images = new ImageFiles({ folder: settings.imagesFolder, limits: limits.images })
  const responses = new ResponseStore({ path: settings.paths.responses, limits: limits.responses, log })
  // Text needs no files: a server whose home cannot be written serves it all the same.
  const warn = (error: unknown) =>
    log.warn("uploads and images cannot be stored", { reason: placeAndReason(error) })
  await Promise.all([uploads.start().catch(warn), images.start().catch(warn)])
  return {
    uploads,
    images,
    responses,
    async [Symbol.asyncDispose]() {
      images.close()
      responses.close()
      await uploads.close()
    },
  }
}

/** @throws UsageError */
async function openUserPage({ pageFolder }: Settings): Promise<UserPage | undefined> {
  if (pageFolder === null) return undefined
  const { UserPage } = await import("../../http/web/user-page")
  return await UserPage.open(pageFolder)
}

interface Parts {
  readonly engine: ManagedEngine
  readonly store: Store
  readonly address: ListenSettings
  reconfigure(settings: Settings): readonly string[]
}

interface Preparation {
  readonly settings: Settings
  readonly models: readonly string[]
  readonly log: Logger
  readonly observer: EngineObserver
}

/** Checks the settings and the named models, so that all their errors are reported before the server listens. */
async function prepare({ settings, models, log, observer }: Preparation): Promise<Parts> {
  const address = settings.listen
  effectiveSettings(settings.inputs)
  await checkImagesFolder(settings)
  checkModelSettings(settings)
  const names: string[] = []
  const adapt = (usual: ModelSettings, model: string) =>
    names.includes(model) ? { ...usual, preload: true } : usual
  let { aliases, loras } = settings
  const live = { aliases: () => aliases, loras: () => loras }
  const { engine, store } = await createLocal({ settings, log, observer, adapt, ...live })
  const checkAliases = async () => {
    for (const problem of aliasProblems(await store.aliases())) log.warn("alias has no effect", { problem })
  }
  for (const model of models) {
    const name = await nameOf(model, store)
    checkGenerates(await store.describe(name))
    await checkAdaptersOf(name, store, loras)
    names.push(name)
  }
  // In the background: startup does not wait for these warnings.
  void warnOfNoModels(store, settings.modelsFolder, log)
  store
    .tidy()
    .catch((error: unknown) =>
      log.warn("cleanup of the models directory failed", { reason: placeAndReason(error) }),
    )
  const failed = (error: unknown) => log.warn("aliases not checked", { reason: placeAndReason(error) })
  checkAliases().catch(failed)
  const reconfigure = (next: Settings) => {
    aliases = next.aliases
    loras = next.loras
    checkAliases().catch(failed)
    return engine.reconfigure({
      ...liveOptions(next, adapt),
      fetchMissing: missingModelFetcher(next, store, log),
    })
  }
  return { engine, store, address, reconfigure }
}

/**
 * Checks only a folder that the user has set: a server with a read-only home must still serve text. A missing one is
 * created when needed. @throws UsageError, FileFailed if it cannot hold images
 */
async function checkImagesFolder(settings: Settings): Promise<void> {
  const folder = settings.imagesFolder
  if (folder === settings.paths.images) return
  const facts = await stat(folder).catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return undefined
    throw new FileFailed("read", `the images directory ${folder}`, error)
  })
  if (facts?.isDirectory() === false) throw new UsageError(`the images directory ${folder} is not a folder`)
}

/** A server without models can answer nothing, so it tells its user how to get one. */
async function warnOfNoModels(store: Store, folder: string, log: Logger): Promise<void> {
  const models = await store.list().catch(() => undefined)
  if (models?.length !== 0) return
  const { FIRST_MODEL } = await import("../../store/hint")
  log.warn(`no models yet: ${FIRST_MODEL}`, { folder })
}

/** @throws InvalidSettings if no model could be loaded with these settings, or with the settings of one model */
function checkModelSettings(settings: Settings): void {
  for (const model of [undefined, ...settings.modelsInFile]) {
    const fault = conflictIn(settings.ofModel({ name: model ?? "" }))
    if (fault !== undefined) throw new InvalidSettings(fault, model)
  }
}

interface ServerLog {
  readonly log: RootLogger
  readonly tail: LogTail
  /** Called after the file was renamed, for example by logrotate: opens a new one. */
  reopen(): void
  close(): Promise<void>
}

async function openLog(settings: Settings): Promise<ServerLog> {
  const [{ createLogger }, { LogTail }] = await Promise.all([
    import("../../log/logger"),
    import("../../log/log-tail"),
  ])
  const tail = new LogTail()
  const { logLevel: level, logFormat } = settings.log
  const { logFile: path, logKeep: keep, logMaxSize: maxBytes } = settings.logFile
  if (path === null) {
    const write = (line: string) => {
      tail.add(line)
      process.stderr.write(line)
    }
    const log = createLogger({ level, write, ...(logFormat !== null && { format: logFormat }) })
    return { log, tail, reopen() {}, async close() {} }
  }
  const { LogFile } = await import("../../log/log-file")
  const file = new LogFile({ path, maxBytes, keep, otherwise: (line) => void process.stderr.write(line) })
  const write = (line: string) => {
    tail.add(line)
    file.write(line)
  }
  const log = createLogger({ level, format: logFormat ?? "json", write })
  return { log, tail, reopen: () => file.reopen(), close: () => file.close() }
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
