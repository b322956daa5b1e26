/** Numbers of parameters. */
export interface ParameterCounts {
  readonly total: number
  /** Outside of experts. */
  readonly shared: number
  /** Of one expert in all layers. */
  readonly expert: number
  readonly experts: number
}

/** `shape`: as in safetensors, the contiguous dimension last. */
export function countParameters(
  tensors: readonly { readonly name: string; readonly shape: readonly number[] }[],
): ParameterCounts {
  let [total, shared, expert, experts, stacks] = [0, 0, 0, 0, 0]
  for (const { name, shape } of tensors) {
    const size = shape.reduce((product, each) => product * each, 1)
    total += size
    if (name.includes("_exps.") && shape.length >= 3) {
      const count = shape.at(name.includes(".bias") ? -2 : -3) ?? 1
      expert += Math.floor(size / count)
      experts += count
      stacks++
    } else shared += size
  }
  return { total, shared, expert, experts: stacks > 0 ? Math.floor(experts / stacks) : 0 }
}

/** As people say it: `135M`, `8x7B`; `undefined` for nothing. */
export function sizeLabelOf({ total, shared, expert, experts }: ParameterCounts): string | undefined {
  if (total <= 0) return undefined
  return experts > 0 ? `${experts}x${rounded(shared + expert)}` : rounded(total)
}

function rounded(count: number): string {
  const [scale, letter] =
    count > 1e12
      ? ([1e-12, "T"] as const)
      : count > 1e9
        ? ([1e-9, "B"] as const)
        : count > 1e6
          ? ([1e-6, "M"] as const)
          : ([1e-3, "K"] as const)
  const scaled = count * scale
  // Two digits at least.
  const digits = Math.max(2 - String(Math.round(scaled)).replace(/^0+/, "").length, 0)
  return `${scaled.toFixed(digits)}${letter}`
}
