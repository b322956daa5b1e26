import { reasonOf } from "../../errors/base"

/** `Load model from FILE failed:REASON`, where the reason may begin with a place in the graph. */
const REFUSAL = /^Load model from .+? failed:\s*(.*)$/
const PLACE = /^.*, Error /

/**
 * Why the speech engine cannot load a model: only the reason in ONNX Runtime's message. The full message is
 * in the log.
 */
export function engineReason(error: unknown): string {
  const words = reasonOf(error)
  const refusal = REFUSAL.exec(words)?.[1]
  if (refusal === undefined) return words
  console.error(words)
  return `ONNX Runtime refused its graph: ${refusal.replace(PLACE, "")}`
}
