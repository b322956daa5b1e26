import { type Inputs, resolveSetting } from "../../config/load"
import { flaglessSettings } from "../../config/sections/flagless"
import { modelSettings } from "../../config/sections/model"
import { capacity, imagesFolder, logFileOptions, modelsFolder, promptsOnDisk } from "../../config/settings"
import { bytes } from "../../config/values"
import { DEFAULT_HEADROOM_BYTES } from "../../engine/process/timeouts"
import { DEFAULT_CONTEXT, WORKERS_GROW } from "../../formats/kv-layout"
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
  inputs: Inputs,
  isTerminal: boolean,
): AutomaticValue | undefined {
  const [, model, key] = /^models\.(.*)\.([^.]+)$/.exec(path) ?? []
  return RULES[key === undefined ? path : `defaults.${key}`]?.(inputs, { isTerminal, model })
}

interface Circumstances {
  readonly isTerminal: boolean
  /** The model that the setting is for; undefined: all. */
  readonly model: string | undefined
}

type Rule = (inputs: Inputs, circumstances: Circumstances) => AutomaticValue

const threads: Rule = () => plain(usableCores())

/** Those for generation, where they are set. */
const prefillThreads: Rule = (inputs, { model }) => {
  const { value } = resolveSetting("threads", modelSettings.threads, inputs, model)
  return plain(typeof value === "number" ? value : usableCores())
}

const RULES: Readonly<Record<string, Rule>> = {
  models_dir: (inputs) => plain(modelsFolder(inputs)),
  "images.dir": (inputs) => plain(imagesFolder(inputs)),
  "kv_disk.dir": (inputs) => plain(promptsOnDisk(inputs).folder),
  "limits.headroom": () => ({
    shown: bytes.show(DEFAULT_HEADROOM_BYTES),
    value: DEFAULT_HEADROOM_BYTES,
  }),
  "limits.memory": (inputs) => {
    const headroom = capacity(inputs).headroom ?? DEFAULT_HEADROOM_BYTES
    const free = Math.max(0, systemMemory().availableBytes - headroom)
    return { shown: `${formatBytes(free)} are free`, value: free }
  },
  "log.format": (inputs, { isTerminal }) =>
    plain(isTerminal && logFileOptions(inputs).logFile === null ? "pretty" : "json"),
  "defaults.threads": threads,
  "defaults.threads_batch": prefillThreads,
  "defaults.split_mode": (inputs) =>
    plain(String(resolveSetting("gpuSplitMode", flaglessSettings.gpuSplitMode, inputs).value)),
  "defaults.ctx": () => ({
    shown: WORKERS_GROW ? "as trained, as far as memory allows" : `as trained, at most ${DEFAULT_CONTEXT}`,
  }),
}

function plain(value: string | number): AutomaticValue {
  return { shown: String(value), value }
}
