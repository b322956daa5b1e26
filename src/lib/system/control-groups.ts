import { readFileSync } from "node:fs"
import { posix } from "node:path"

/** Reads a whole small file; undefined where there is none. */
export type ReadText = (path: string) => string | undefined

/** The folders of the control groups that limit this process's memory, its own first, then those around it. */
export interface MemoryGroups {
  readonly version: 1 | 2
  readonly folders: readonly string[]
}

/** Where control groups of one version are mounted. */
interface Mount {
  /** The group that the mount point shows: containers see their own part alone. */
  readonly root: string
  readonly point: string
}

/** Where they are mounted as a rule; for systems that do not tell. */
const USUAL_MOUNTS = { 1: "/sys/fs/cgroup/memory", 2: "/sys/fs/cgroup" } as const

/**
 * The groups of both versions: a machine may have both, and only one of them has files about memory. Each limit counts
 * for all that is below it, so those around the own one count as well.
 */
export function memoryGroups(read: ReadText): readonly MemoryGroups[] {
  const own = read("/proc/self/cgroup") ?? ""
  const mounts = read("/proc/self/mountinfo") ?? ""
  return ([2, 1] as const).map((version) => {
    const mount = mountOf(version, mounts) ?? { root: "/", point: USUAL_MOUNTS[version] }
    return { version, folders: foldersOf(mount, groupOf(version, own)) }
  })
}

/** `0::/user.slice/x.service` of version 2, `4:memory:/docker/0123` of version 1. */
function groupOf(version: 1 | 2, own: string): string {
  const line = version === 2 ? /^0::(\/.*)$/m : /^\d+:(?:[^:\n]*,)?memory(?:,[^:\n]*)?:(\/.*)$/m
  return line.exec(own)?.[1] ?? "/"
}

/** `31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw`: root and mount point, and behind the dash what it is of. */
function mountOf(version: 1 | 2, mounts: string): Mount | undefined {
  for (const line of mounts.split("\n")) {
    const [place = "", what = ""] = line.split(" - ")
    const [, , , root, point] = place.split(" ")
    const [type, , options = ""] = what.split(" ")
    if (root === undefined || point === undefined) continue
    const isIt =
      version === 2 ? type === "cgroup2" : type === "cgroup" && options.split(",").includes("memory")
    if (isIt) return { root: unescaped(root), point: unescaped(point) }
  }
  return undefined
}

/** Spaces and the like are octal there. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_whole, digits: string) => String.fromCharCode(parseInt(digits, 8)))
}

/** A group outside of what is mounted is not seen: what is mounted is the nearest to it. */
function foldersOf({ root, point }: Mount, group: string): readonly string[] {
  const below = posix.relative(root, posix.normalize(group))
  const parts = below === "" || below.startsWith("..") ? [] : below.split("/")
  return Array.from({ length: parts.length + 1 }, (_, up) =>
    posix.join(point, ...parts.slice(0, parts.length - up)),
  )
}

/** The system's own files. */
export function readSystemFile(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}
