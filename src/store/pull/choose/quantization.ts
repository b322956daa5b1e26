/** Number formats as written in file names; the longest match counts. */
const LABEL =
  /(?<![a-z0-9])((?:ud-)?(?:i?q[1-8](?:_[a-z0-9]+)*|tq[12]_0|mxfp4(?:_moe)?|nvfp4|bf16|f16|fp16|f32|fp32))(?![a-z0-9])/gi

/**
 * The quantisation in a file's path, such as `Q4_K_M` or `UD-Q4_K_XL`: the last in its name, otherwise in its
 * folder's; `undefined` where there is none.
 */
export function quantizationIn(path: string): string | undefined {
  for (const part of path.split("/").reverse()) {
    const label = [...part.matchAll(LABEL)].at(-1)?.[1]
    if (label !== undefined) return label.toUpperCase().replace(/^FP(16|32)$/, "F$1")
  }
  return undefined
}

/** Without Unsloth's prefix for its own mixtures of formats. */
export function plainLabel(label: string): string {
  return label.replace(/^UD-/, "")
}
