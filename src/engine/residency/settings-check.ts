import { isGguf, type ModelDetails, type TextModelDetails } from "../../domain/model"
import type { KvType, TextModelSettings } from "../../domain/settings"
import { InvalidSettings } from "../../errors/engine"
import type { GpuReading } from "./available-memory"
import { headWidths } from "./estimate"
import { usableGpus } from "./placement"

/** KV cache types stored in blocks: a scale and a few bits for each of 32 numbers. */
const QUANTIZED: ReadonlySet<KvType> = new Set(["q8_0", "q4_0", "q4_1", "q5_0", "q5_1"])
const QUANTIZED_BLOCK = 32

/**
 * Backends that can split single tensors over devices; others refuse the load (row) or end the process (tensor).
 */
const SPLITS_TENSORS: ReadonlySet<string> = new Set(["CUDA", "simulated"])

/** The devices of the backends. */
export interface KnownDevices {
  /** Every valid device name. */
  readonly names: readonly string[]
  readonly gpus: readonly GpuReading[]
}

/**
 * Finds settings that llama.cpp would refuse, or end the process over, before anything is loaded with them.
 * @param devices undefined: the backends could not be queried, or no GPU is wanted
 * @throws InvalidSettings
 */
export function checkSettings(
  details: ModelDetails,
  settings: TextModelSettings,
  devices: KnownDevices | undefined,
): void {
  const { name, kind } = details
  const usesGpus = isGguf(details) || kind === "image"
  const fault =
    (details.kind === "text" ? (conflictIn(settings) ?? headFault(details, settings)) : undefined) ??
    (usesGpus && devices !== undefined ? deviceFault(kind, settings, devices) : undefined)
  if (fault !== undefined) throw new InvalidSettings(fault, name)
}

/** A conflict between settings, whatever the model; undefined where there is none. */
export function conflictIn(settings: TextModelSettings): string | undefined {
  return cacheFault(settings) ?? ropeFault(settings)
}

/** llama.cpp ignores these numbers without a word. */
function ropeFault({
  ropeScaling,
  ropeFreqScale,
  yarnOriginalContext,
}: TextModelSettings): string | undefined {
  if (ropeScaling === "none" && ropeFreqScale !== null && ropeFreqScale !== 1) {
    return (
      `rope_freq_scale ${ropeFreqScale} has no effect with rope_scaling none; ` +
      "set --rope-scaling to linear or yarn, or leave out --rope-freq-scale"
    )
  }
  if (yarnOriginalContext !== null && ropeScaling !== null && ropeScaling !== "yarn") {
    return (
      `yarn_orig_ctx has no effect with rope_scaling ${ropeScaling}; ` +
      "set --rope-scaling to yarn, or leave out --yarn-orig-ctx"
    )
  }
  return undefined
}

function cacheFault({
  kvTypeV,
  flashAttention,
  splitMode,
}: Pick<TextModelSettings, "kvTypeV" | "flashAttention" | "splitMode">): string | undefined {
  if (flashAttention !== "off") return undefined
  if (QUANTIZED.has(kvTypeV)) {
    return (
      `cache_type_v ${kvTypeV} needs flash attention, which is off; ` +
      "set --flash-attn to auto or on, or --cache-type-v to f16"
    )
  }
  if (splitMode === "tensor") {
    return "split_mode tensor needs flash attention, which is off; set --flash-attn to auto or on, or --split-mode to layer"
  }
  return undefined
}

/** Cache blocks must not cross the end of a head or, without flash attention, of all heads together. */
function headFault(
  details: TextModelDetails,
  { kvTypeK, kvTypeV, flashAttention }: TextModelSettings,
): string | undefined {
  const widths = headWidths(details)
  if (widths === undefined) return undefined
  const { keys, values, heads } = widths
  const together = flashAttention === "off" ? heads : 1
  const rows = [
    { setting: "cache_type_k", flag: "--cache-type-k", type: kvTypeK, width: keys * together },
    { setting: "cache_type_v", flag: "--cache-type-v", type: kvTypeV, width: values * together },
  ]
  const odd = rows.find(({ type, width }) => QUANTIZED.has(type) && width % QUANTIZED_BLOCK !== 0)
  return (
    odd &&
    `${odd.setting} ${odd.type} has blocks of ${QUANTIZED_BLOCK} numbers, which do not divide this model's ${odd.width}; ` +
      `set ${odd.flag} to f16`
  )
}

function deviceFault(
  kind: ModelDetails["kind"],
  settings: TextModelSettings,
  { names, gpus }: KnownDevices,
): string | undefined {
  if (settings.gpuLayers === 0) return undefined
  const unknown = settings.devices?.find((device) => !names.includes(device))
  if (unknown !== undefined) {
    return `unknown device '${unknown}' (--device); there ${listed(names)}`
  }
  const used = usableGpus(gpus, settings, null)
  return isGguf({ kind }) && used.length > 0 ? splitFault(settings, used) : undefined
}

function splitFault(
  { splitMode, tensorSplit }: TextModelSettings,
  used: readonly { readonly name: string; readonly backend?: string }[],
): string | undefined {
  if (splitMode === "row" || splitMode === "tensor") {
    const unable = used.find(({ backend = "" }) => !SPLITS_TENSORS.has(backend))
    if (unable !== undefined) {
      return `split_mode ${splitMode} is not supported by ${unable.backend ?? unable.name}; set --split-mode to layer`
    }
  }
  if (tensorSplit === null) return undefined
  if (tensorSplit.length > used.length) {
    return `tensor_split has ${tensorSplit.length} numbers (--tensor-split), but there ${listed(used.map(({ name }) => name))}`
  }
  return tensorSplit.every((share) => share === 0)
    ? "tensor_split gives no GPU a share (--tensor-split): at least one number must be above 0"
    : undefined
}

/** `is CPU`, `are CUDA0, CUDA1` */
function listed(names: readonly string[]): string {
  return `${names.length === 1 ? "is" : "are"} ${names.join(", ")}`
}
