import { readFileSync } from "node:fs"

/** Instructions that multiply and add bytes, as Linux names them, of x64 and arm64. */
const OF_BYTES = /^(?:flags|Features)\s*:.*\b(?:avx512_vnni|avx_vnni|asimddp)\b/m

/**
 * Does the processor multiply bytes faster than floats? Without such instructions ONNX Runtime's products of bytes are
 * slower, and on x64 some of them overflow.
 */
export function multipliesBytes(): boolean {
  // All of Apple's.
  if (process.platform === "darwin") return process.arch === "arm64"
  try {
    return OF_BYTES.test(readFileSync("/proc/cpuinfo", "utf8"))
  } catch {
    return false
  }
}
