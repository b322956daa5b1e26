import { mkdir, statfs } from "node:fs/promises"
import { DiskFull } from "../../../errors/store"

/** Bytes left free: a completely full disk breaks other programs. */
const RESERVE_BYTES = 16 * 1024 ** 2

/** @throws DiskFull where the file system of `folder` has less space than needed */
export async function checkDiskSpace(folder: string, neededBytes: number): Promise<void> {
  if (neededBytes <= 0) return
  await mkdir(folder, { recursive: true })
  const { bavail, bsize } = await statfs(folder)
  const freeBytes = bavail * bsize
  if (neededBytes + RESERVE_BYTES > freeBytes) throw new DiskFull(folder, { neededBytes, freeBytes })
}
