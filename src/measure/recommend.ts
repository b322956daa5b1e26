import type { ProfileFacts } from "./facts"

/** Less than this is no reason to set anything. */
const LEAST_GAIN = 0.03

export interface Measured {
  readonly threads: ProfileFacts["threads"]
  readonly gpuLayers: ProfileFacts["gpuLayers"]
  /** What is used where nothing is set. */
  readonly usualThreads: number
}

/** The settings by which the model is faster than with the usual ones, with the measured reason of each. */
export function recommend({ threads, gpuLayers, usualThreads }: Measured): ProfileFacts["settings"] {
  const settings: ProfileFacts["settings"] = []
  const decode = best(threads, "generating")
  const usual = threads.find((row) => row.threads === usualThreads)
  if (decode !== undefined && usual !== undefined && gains(decode.generating, usual.generating))
    settings.push({
      name: "threads",
      value: decode.threads,
      reason: slower(usualThreads, usual.generating, decode.generating),
    })
  const chosen = settings[0]?.value ?? usualThreads
  const prefill = best(threads, "reading")
  const asChosen = threads.find((row) => row.threads === chosen)
  if (prefill !== undefined && asChosen !== undefined && gains(prefill.reading, asChosen.reading))
    settings.push({
      name: "threads_batch",
      value: prefill.threads,
      reason: slower(chosen, asChosen.reading, prefill.reading),
    })
  const layers = best(gpuLayers, "generating")
  const all = gpuLayers.at(-1)
  if (layers !== undefined && all !== undefined && gains(layers.generating, all.generating))
    settings.push({
      name: "gpu_layers",
      value: layers.layers,
      reason: slower(all.layers, all.generating, layers.generating),
    })
  return settings
}

function best<T extends { reading: number; generating: number }>(
  rows: readonly T[],
  by: "reading" | "generating",
): T | undefined {
  return rows.reduce<T | undefined>(
    (most, row) => (most === undefined || row[by] > most[by] ? row : most),
    undefined,
  )
}

function gains(better: number, usual: number): boolean {
  return better > usual * (1 + LEAST_GAIN)
}

/** `8 is 12 % slower`. */
function slower(value: number, speed: number, better: number): string {
  return `${value} is ${Math.round(100 * (1 - speed / better))} % slower`
}

/** The lines of a configuration file that set them for a model. */
export function snippetOf(model: string, settings: ProfileFacts["settings"]): string {
  const lines = settings.map(({ name, value, reason }) => `    ${name}: ${value}   # ${reason}\n`)
  return `models:\n  ${JSON.stringify(model)}:\n${lines.join("")}`
}
