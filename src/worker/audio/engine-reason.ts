import { reasonOf } from "../../errors/base"

/** `Load model from FILE failed:WORDS`, where the words may tell of a place in the graph first. */
const REFUSAL = /^Load model from .+? failed:\s*(.*)$/
const PLACE = /^.*, Error /

/**
 * Why the speech engine does not load a model: of what ONNX Runtime says the fault alone. All that it says is written to
 * the log, where the place in the graph may help.
 */
export function engineReason(error: unknown): string {
  const words = reasonOf(error)
  const refusal = REFUSAL.exec(words)?.[1]
  if (refusal === undefined) return words
  console.error(words)
  return `ONNX Runtime refused its graph: ${refusal.replace(PLACE, "")}`
}
