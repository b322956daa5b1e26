import type { ModelSettings } from "../domain/settings"
import type { Aliases } from "../lib/aliases"
import { deepFreeze } from "../lib/deep-freeze"
import type { Environment } from "./environment"
import { type ConfigFile, findConfigFile, readConfigFile } from "./file"
import { type Inputs, modelsOf, type Origin, type Resolved, resolveSettings, type Values } from "./load"
import {
  type EffectiveModelSetting,
  effectiveModelSettings,
  settingsOfModel,
  type Subject,
} from "./model-settings"
import type { AdapterSetting } from "./loras"
import { findPaths, type Paths } from "./paths"
import { perModelSettings } from "./schema"
import { flaglessSettings } from "./sections/flagless"
import type { capacitySettings } from "./sections/limits"
import type { logFileSettings, logSettings } from "./sections/log"
import {
  type AccessSettings,
  accessSettings,
  aliasesIn,
  lorasIn,
  capacity,
  type ImageSettings,
  imageSettings,
  imagesFolder,
  type ListenSettings,
  listenSettings,
  logFileOptions,
  logOptions,
  modelsFolder,
  modelsFolderOrigin,
  pageFolder,
  type PromptsOnDiskSettings,
  promptsOnDisk,
  type PullSettings,
  pullSettingsOf,
  quietLogOptions,
  type ResponseSettings,
  responseStoreSettings,
  type ServerLocation,
  serverLocation,
} from "./settings"

/** The sections of {@link Settings}. */
interface Sections {
  readonly paths: Paths
  readonly modelsFolder: string
  readonly modelsFolderOrigin: Origin
  readonly aliases: Aliases
  readonly loras: readonly AdapterSetting[]
  readonly pull: PullSettings
  readonly log: Values<typeof logSettings>
  /** For commands whose output is an answer. */
  readonly quietLog: Values<typeof logSettings>
  readonly logFile: Values<typeof logFileSettings>
  readonly capacity: Values<typeof capacitySettings>
  readonly access: AccessSettings
  readonly pageFolder: string | null
  readonly imagesFolder: string
  readonly images: ImageSettings
  readonly responses: ResponseSettings
  readonly listen: ListenSettings
  readonly server: ServerLocation
  readonly promptsOnDisk: PromptsOnDiskSettings
  readonly gpuSplitMode: NonNullable<ModelSettings["splitMode"]>
  /** Models that the file has settings for. */
  readonly modelsInFile: readonly string[]
  /** Of models without settings or defaults of their own. */
  readonly anyModel: Resolved<typeof perModelSettings>
}

/**
 * The user's settings: from the command line, the environment and the configuration file, all of which were read once.
 * Frozen, to be passed down. Each section is resolved when it is first used, and then kept: a faulty variable stops only
 * the commands that it concerns, with a UsageError.
 */
export interface Settings extends Sections {
  readonly inputs: Inputs
  readonly environment: Environment
  readonly file: ConfigFile | undefined
  /** Of one model, with the defaults that come with it. */
  ofModel(model: Subject): ModelSettings
  /** The same with the origin of each value. */
  explainModel(model: Subject): readonly EffectiveModelSetting[]
}

/**
 * Reads the settings from the command line, the environment, and the configuration file that they name or that is in
 * xLLM's home.
 * @throws UsageError for an ambiguous or invalid file; FileFailed for an unreadable one
 */
export async function readSettings(
  { config, ...flags }: Readonly<Record<string, unknown>>,
  environment: Environment,
): Promise<Settings> {
  const path = findConfigFile(typeof config === "string" ? config : undefined, environment)
  return resolveInputs({
    flags,
    environment,
    ...(path !== undefined && { file: await readConfigFile(path) }),
  })
}

export function resolveInputs(given: Inputs): Settings {
  // The environment belongs to the process, and is shared.
  const inputs = Object.freeze({ ...given, environment: Object.freeze({ ...given.environment }) })
  const sections = lazily<Sections>({
    paths: () => findPaths(inputs.environment),
    modelsFolder: () => modelsFolder(inputs),
    modelsFolderOrigin: () => modelsFolderOrigin(inputs),
    aliases: () => aliasesIn(inputs),
    loras: () => lorasIn(inputs),
    pull: () => pullSettingsOf(inputs),
    log: () => logOptions(inputs),
    quietLog: () => quietLogOptions(inputs),
    logFile: () => logFileOptions(inputs),
    capacity: () => capacity(inputs),
    access: () => accessSettings(inputs),
    pageFolder: () => pageFolder(inputs),
    imagesFolder: () => imagesFolder(inputs),
    images: () => imageSettings(inputs),
    responses: () => responseStoreSettings(inputs),
    listen: () => listenSettings(inputs),
    server: () => serverLocation(inputs),
    promptsOnDisk: () => promptsOnDisk(inputs),
    gpuSplitMode: () => resolveSettings(flaglessSettings, inputs).values.gpuSplitMode,
    modelsInFile: () => modelsOf(inputs.file),
    anyModel: () => resolveSettings(perModelSettings, inputs),
  })
  const { environment, file } = inputs
  return Object.freeze(
    Object.defineProperties(
      {
        inputs,
        environment,
        file,
        ofModel: (model: Subject) => deepFreeze(settingsOfModel(inputs, model)),
        explainModel: (model: Subject) => deepFreeze(effectiveModelSettings(inputs, model)),
      },
      Object.getOwnPropertyDescriptors(sections),
    ) as Settings,
  )
}

/** An object whose fields are made when they are first read. */
function lazily<T extends object>(makers: { readonly [K in keyof T]: () => T[K] }): T {
  const made = new Map<string, unknown>()
  const object = {}
  for (const [name, make] of Object.entries<() => unknown>(makers)) {
    const get = () => {
      if (!made.has(name)) made.set(name, deepFreeze(make()))
      return made.get(name)
    }
    Object.defineProperty(object, name, { get, enumerable: true })
  }
  // Each field has its maker.
  return object as T
}
