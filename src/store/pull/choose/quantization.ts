/** Number formats as they are written in names of files; the longer of two that fit counts. */
const LABEL =
  /(?<![a-z0-9])((?:ud-)?(?:i?q[1-8](?:_[a-z0-9]+)*|tq[12]_0|mxfp4(?:_moe)?|nvfp4|bf16|f16|fp16|f32|fp32))(?![a-z0-9])/gi

/**
 * The quantisation that a file's path names, as `Q4_K_M` or `UD-Q4_K_XL`: the last of its name, otherwise of the
 * folder it is in; `undefined` where there is none.
 */
export function quantizationIn(path: string): string | undefined {
  for (const part of path.split("/").reverse()) {
    const label = [...part.matchAll(LABEL)].at(-1)?.[1]
    if (label !== undefined) return label.toUpperCase().replace(/^FP(16|32)$/, "F$1")
  }
  return undefined
}

/** Without what Unsloth puts before its own mixtures of formats. */
export function plainLabel(label: string): string {
  return label.replace(/^UD-/, "")
}
