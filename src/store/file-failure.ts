import { sep } from "node:path"
import { XllmError } from "../errors/base"
import { FileFailed, ModelsFolderUnwritable } from "../errors/store"
import { isDiskFull } from "../lib/system/disk-full"
import { systemCode } from "../lib/system/system-reason"
import type { StoreLayout } from "./layout"

/** Actions by system call; every other call is a way to write. */
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

/** Reading a file never fails with these. */
const OF_WRITING: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT", "EFBIG", "EROFS"])

/**
 * Turns the system's error into one sentence with the path and the reason; returns other errors unchanged.
 * Unfinished files have meaningless names: the models folder is named instead.
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

/** The error for a path that cannot be written. */
export function writeFailure(path: string, error: unknown, { root }: Pick<StoreLayout, "root">): XllmError {
  if (path === root && !isDiskFull(error)) return new ModelsFolderUnwritable(root, error)
  return new FileFailed("write to", path, error)
}

/** Runs `work`, translating its errors; see {@link asFileFailure}. */
export async function withFileFailures<T>(layout: StoreLayout, work: () => Promise<T>): Promise<T> {
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
