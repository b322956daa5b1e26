import { existsSync } from "node:fs"
import { join } from "node:path"
import type { AdapterSetting } from "../../config/loras"
import type { Settings } from "../../config/resolve"
import { isPartRole } from "../../domain/attached-parts"
import type { Device } from "../../domain/device"
import type { ModelSettings } from "../../domain/settings"
import { createEngine, type ManagedEngine } from "../../engine"
import type { LiveOptions } from "../../engine/contract"
import type { EngineObserver } from "../../engine/observer"
import { DEFAULT_HEADROOM_BYTES } from "../../engine/process/timeouts"
import { UsageError } from "../../errors/cli"
import { InvalidModelFile, type ModelDamage } from "../../errors/model"
import type { Aliases } from "../../lib/aliases"
import type { Logger } from "../../log/logger"
import { createStore } from "../../store"
import type { Store } from "../../store/contract"
import { existingModelsFolder } from "../models/models-folder"
import { missingModelFetcher } from "../pull/puller"

export interface LocalOptions {
  readonly settings: Settings
  readonly log: Logger
  readonly observer?: EngineObserver
  /** Aliases of models, read anew each time because they may change. */
  readonly aliases?: () => Aliases
  /** Adapters for all models, read anew likewise. */
  readonly loras?: () => readonly AdapterSetting[]
  /** Applies a command's options on top of the user's settings for a model. */
  readonly adapt?: (settings: ModelSettings, model: string) => ModelSettings
}

/**
 * This machine's models and an engine for them; nothing is started before it is needed.
 * @throws UsageError, FileFailed if the models directory cannot be used
 */
export async function createLocal({ settings, log, observer, adapt, ...options }: LocalOptions): Promise<{
  store: Store
  engine: ManagedEngine
}> {
  const folder = await existingModelsFolder(settings)
  const { aliases = () => settings.aliases, loras = () => settings.loras } = options
  const adaptersFolder = settings.paths.loras
  const store = createStore({ modelsFolder: folder, adaptersFolder, configuredAdapters: loras, aliases, log })
  await checkAdapters(store, loras())
  const { simulateGpus } = settings.capacity
  const engine = createEngine({
    store,
    ...liveOptions(settings, adapt),
    fetchMissing: missingModelFetcher(settings, store, log),
    findDamage: (model) => damageOf(store, model),
    useGpu: settings.ofModel({ name: "" }).gpuLayers !== 0,
    ...(simulateGpus !== null && { simulatedDevices: simulateGpus.map(toDevice) }),
    runtimeFolder: settings.paths.runtime,
    derivedFolder: join(folder, "derived"),
    workerCommand,
    ...(observer !== undefined && { observer }),
    log,
  })
  return { store, engine }
}

/** @throws InvalidModelFile for a file that is no adapter; UsageError for two of one name */
async function checkAdapters(store: Store, loras: readonly AdapterSetting[]): Promise<void> {
  if (loras.length === 0) return
  const all = await store.adapters.list()
  for (const { path } of loras) {
    const fault = all.find((file) => file.path === path)?.fault
    if (fault !== undefined) throw new InvalidModelFile(path, fault + namingHint(path))
    // The list has one of each name.
    if (!all.some((file) => file.path === path))
      throw new UsageError(`two adapters have the file name of ${path}: rename one of them`)
  }
}

/** Other servers take NAME=FILE. */
function namingHint(path: string): string {
  const [, name] = /(?:^|\/)([\w.-]+)=[^=]*$/.exec(path) ?? []
  if (name === undefined || existsSync(path)) return ""
  return `; an adapter has the name of its file, without .gguf: leave out '${name}=' and name the file ${name}.gguf`
}

/**
 * Checks the adapters that the user applies to all models against one that the user names.
 * @throws UsageError where one is for other models
 */
export async function checkAdaptersOf(
  model: string,
  store: Store,
  loras: readonly AdapterSetting[],
): Promise<void> {
  if (loras.length === 0) return
  for (const { path, name, misfit } of await store.adapters.of(await store.resolve(model)))
    if (misfit !== undefined && loras.some((lora) => lora.path === path))
      throw new UsageError(`adapter '${name}' ${misfit}`)
}

/** Called when a model could not be loaded; its modules are loaded only then. */
async function damageOf(store: Store, model: string): Promise<ModelDamage> {
  const [{ findDamage }, { canRepair }] = await Promise.all([
    import("../../store/pull/damage"),
    import("../../store/pull/find-plan"),
  ])
  const files = await findDamage(store, model, { isHasty: true })
  const manifest = await store.manifest(model)
  return {
    files: files.map(({ name, role }) => (isPartRole(role) ? { name, role } : { name })),
    canRepair: manifest !== undefined && canRepair(manifest),
  }
}

/** The settings that a running engine adopts. */
export function liveOptions(settings: Settings, adapt: LocalOptions["adapt"]): LiveOptions {
  const { memory, gpuMemory, headroom, maxModels, queueLimit, queueTimeout } = settings.capacity
  const { isEnabled, ...promptsOnDisk } = settings.promptsOnDisk
  const onDisk = isEnabled ? { promptsOnDisk } : {}
  return {
    memory: {
      ...(memory !== null && { limitBytes: memory }),
      ...(gpuMemory !== null && { gpuLimitBytes: gpuMemory }),
      ...(maxModels !== null && { maxModels }),
      headroomBytes: headroom ?? DEFAULT_HEADROOM_BYTES,
    },
    settingsOf: (model) => {
      const usual = { ...settings.ofModel(model), ...onDisk }
      return adapt?.(usual, model.name) ?? usual
    },
    queueLimit,
    queueTimeoutMs: queueTimeout === null ? null : queueTimeout * 1000,
  }
}

/** A hypothetical GPU for planning. */
function toDevice(bytes: number, index: number): Device {
  return {
    name: `GPU${index}`,
    description: "simulated",
    kind: "gpu",
    backend: "simulated",
    freeBytes: bytes,
    totalBytes: bytes,
  }
}

/** The command to start this program as a worker; in development bun also needs the entry's path. */
export function workerCommand(kind: string): readonly string[] {
  const program = Bun.isStandaloneExecutable ? [] : [join(import.meta.dir, "../../index.ts")]
  return [process.execPath, ...program, "worker", kind]
}
