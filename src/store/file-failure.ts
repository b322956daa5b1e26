import { sep } from "node:path"
import { XllmError } from "../errors/base"
import { FileFailed, ModelsFolderUnwritable } from "../errors/store"
import { isDiskFull } from "../lib/system/disk-full"
import { systemCode } from "../lib/system/system-reason"
import type { StoreLayout } from "./layout"

/** What was being done, by the system's calls; every other one is a way to write. */
const ACTIONS: Readonly<Record<string, string>> = {
  open: "open",
  read: "read",
  stat: "read",
  lstat: "read",
  fstat: "read",
  access: "read",
  scandir: "read",
  opendir: "read",
  readlink: "read",
  realpath: "read",
  unlink: "delete",
  rmdir: "delete",
  rm: "delete",
}

/** Nobody who only reads a file hears of these. */
const OF_WRITING: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT", "EFBIG", "EROFS"])

/**
 * What the system refuses, in one sentence with the path and the reason; other errors as they are. Files that are being
 * made have names that mean nothing to anybody: the models folder stands for them.
 */
export function asFileFailure(error: unknown, layout: StoreLayout): unknown {
  if (error instanceof XllmError || !isSystemError(error)) return error
  const paths = [error.dest, error.path].filter((path) => typeof path === "string")
  const inside = paths.find((path) => isBelow(path, layout.root))
  const action = ACTIONS[error.syscall]
  if (action === "delete" || (action !== undefined && !OF_WRITING.has(systemCode(error)))) {
    return new FileFailed(action, inside ?? paths[0] ?? layout.root, error)
  }
  const isMade = inside !== undefined && [layout.temporary, layout.partial].some((at) => isBelow(inside, at))
  return writeFailure(inside === undefined || isMade ? layout.root : inside, error, layout)
}

/** Something cannot be written at `path`. */
export function writeFailure(path: string, error: unknown, { root }: Pick<StoreLayout, "root">): XllmError {
  if (path === root && !isDiskFull(error)) return new ModelsFolderUnwritable(root, error)
  return new FileFailed("write to", path, error)
}

/** Does `work`; see {@link asFileFailure}. */
export async function toldOfFiles<T>(layout: StoreLayout, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw asFileFailure(error, layout)
  }
}

interface SystemError extends Error {
  readonly syscall: string
  readonly path?: unknown
  readonly dest?: unknown
}

function isSystemError(error: unknown): error is SystemError {
  return systemCode(error) !== undefined && error instanceof Error && "syscall" in error
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder + sep)
}
