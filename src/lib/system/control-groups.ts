import { readFileSync } from "node:fs"
import { posix } from "node:path"

/** Reads a small file as a whole; undefined where there is none. */
export type ReadText = (path: string) => string | undefined

/** The folders of the control groups that limit this process's memory: its own first, then the enclosing ones. */
export interface MemoryGroups {
  readonly version: 1 | 2
  readonly folders: readonly string[]
}

/** The mount of one version's control groups. */
interface Mount {
  /** The group at the mount point: containers see only their own part. */
  readonly root: string
  readonly point: string
}

/** The default mount points, for systems that report none. */
const USUAL_MOUNTS = { 1: "/sys/fs/cgroup/memory", 2: "/sys/fs/cgroup" } as const

/**
 * The groups of both versions: a machine may have both, and only one of them has memory files. A limit applies to
 * everything below its group, so the enclosing groups count as well.
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

/** `31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw`: root, mount point and, after the dash, the type. */
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

/** Spaces and some other characters are written in octal. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_whole, digits: string) => String.fromCharCode(parseInt(digits, 8)))
}

/** A group outside the mount is not visible: the mount's root is the nearest one. */
function foldersOf({ root, point }: Mount, group: string): readonly string[] {
  const below = posix.relative(root, posix.normalize(group))
  const parts = below === "" || below.startsWith("..") ? [] : below.split("/")
  return Array.from({ length: parts.length + 1 }, (_, up) =>
    posix.join(point, ...parts.slice(0, parts.length - up)),
  )
}

/** Reads the system's own files. */
export function readSystemFile(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}
