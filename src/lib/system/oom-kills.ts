import { memoryGroups, readSystemFile, type ReadText } from "./control-groups"

/** The file in which each version of control groups counts OOM kills. */
const FILES = { 2: "memory.events", 1: "memory.oom_control" } as const

/**
 * The kernel's count of OOM kills where this process would be included: in its own control group, else on the
 * machine. Undefined where the system does not report it.
 */
export function oomKills(read: ReadText = readSystemFile): number | undefined {
  for (const { version, folders } of memoryGroups(read)) {
    const count = countIn(read(`${folders[0]}/${FILES[version]}`))
    if (count !== undefined) return count
  }
  return countIn(read("/proc/vmstat"))
}

function countIn(text: string | undefined): number | undefined {
  const count = /^oom_kill (\d+)$/m.exec(text ?? "")?.[1]
  return count === undefined ? undefined : Number(count)
}
