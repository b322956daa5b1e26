import { memoryGroups, readSystemFile, type ReadText } from "./control-groups"

/** Where each version of control groups counts the processes in it that were killed for want of memory. */
const FILES = { 2: "memory.events", 1: "memory.oom_control" } as const

/**
 * How many processes the kernel has killed for want of memory, where this process would be counted: in its own control
 * group, else on the machine. Undefined where the system does not tell.
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
