import type { ReasoningOptions } from "../../domain/chat"
import { EFFORTS } from "../../domain/effort"
import { UsageError } from "../../errors/cli"

const LEVELS = EFFORTS.filter((effort) => effort !== "none")

/** The values of `--think` and of `/set think`. */
const THINK_VALUES = ["true", "false", ...LEVELS]

/** @throws UsageError unless it is true, false or a level */
export function parseThink(given: string, origin: string): ReasoningOptions {
  const value = given.toLowerCase()
  if (value === "true") return { isEnabled: true }
  if (value === "false" || value === "none") return { effort: "none", isEnabled: false }
  const effort = LEVELS.find((level) => level === value)
  if (effort !== undefined) return { effort, isEnabled: true }
  throw new UsageError(`${origin} must be one of ${THINK_VALUES.join(", ")}, got '${given}'`)
}
