import type { Settings } from "../../config/resolve"
import { bytes } from "../../config/values"
import { DEFAULT_HEADROOM_BYTES } from "../../engine/process/timeouts"
import { systemMemory } from "../../lib/system/system-memory"
import { usableCores } from "../../worker/cores"
import { formatBytes } from "../terminal/output"

/** The effective value on this machine of a setting that is chosen automatically. */
export interface AutomaticValue {
  readonly shown: string
  /** Absent: it depends on the model. */
  readonly value?: string | number
}

/**
 * The effective value of the setting at `path` if it is `auto` or `none`; `undefined` if it cannot be known without
 * loading a model. @throws UsageError
 */
export function automaticValue(
  path: string,
  settings: Settings,
  isTerminal: boolean,
): AutomaticValue | undefined {
  const [, model, key] = /^models\.(.*)\.([^.]+)$/.exec(path) ?? []
  return RULES[key === undefined ? path : `defaults.${key}`]?.(settings, { isTerminal, model })
}

interface Circumstances {
  readonly isTerminal: boolean
  /** The model that the setting is for; undefined: all. */
  readonly model: string | undefined
}

type Rule = (settings: Settings, circumstances: Circumstances) => AutomaticValue

const threads: Rule = () => plain(usableCores())

/** Those for generation, where they are set. */
const prefillThreads: Rule = (settings, { model }) =>
  plain(settings.ofModel({ name: model ?? "" }).decodeThreads ?? usableCores())

const RULES: Readonly<Record<string, Rule>> = {
  models_dir: (settings) => plain(settings.modelsFolder),
  "images.dir": (settings) => plain(settings.imagesFolder),
  "kv_disk.dir": (settings) => plain(settings.promptsOnDisk.folder),
  "limits.headroom": () => ({
    shown: bytes.show(DEFAULT_HEADROOM_BYTES),
    value: DEFAULT_HEADROOM_BYTES,
  }),
  "limits.memory": (settings) => {
    const headroom = settings.capacity.headroom ?? DEFAULT_HEADROOM_BYTES
    const free = Math.max(0, systemMemory().availableBytes - headroom)
    return { shown: `${formatBytes(free)} are free`, value: free }
  },
  "log.format": (settings, { isTerminal }) =>
    plain(isTerminal && settings.logFile.logFile === null ? "pretty" : "json"),
  "defaults.threads": threads,
  "defaults.threads_batch": prefillThreads,
  "defaults.split_mode": (settings) => plain(settings.gpuSplitMode),
  "defaults.ctx": () => ({ shown: "as trained, as far as memory allows" }),
}

function plain(value: string | number): AutomaticValue {
  return { shown: String(value), value }
}
