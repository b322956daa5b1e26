import { systemCode } from "./system-reason"

/** Error codes for a full disk, an exhausted quota and an oversized file. */
const FULL: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT", "EFBIG"])

export function isDiskFull(error: unknown): boolean {
  return FULL.has(systemCode(error))
}
