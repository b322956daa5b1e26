import { systemCode } from "./system-reason"

/** What the system says where there is no room: on the disk, for this user, for one file. */
const FULL: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT", "EFBIG"])

export function isDiskFull(error: unknown): boolean {
  return FULL.has(systemCode(error))
}
