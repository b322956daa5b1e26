import { lstat, unlink } from "node:fs/promises"
import { CannotListen } from "../../errors/cli"

/**
 * Removes a stale socket file at `path`, and nothing else.
 * @throws CannotListen if another file is there, or a server that listens
 */
export async function removeLeftSocket(path: string): Promise<void> {
  const stats = await lstat(path).catch(() => undefined)
  if (stats === undefined) return
  if (!stats.isSocket()) throw new CannotListen(path, "the path exists and is not a socket")
  if (await answers(path)) throw new CannotListen(path, "another server already listens there")
  await unlink(path).catch((error: unknown) => {
    throw new CannotListen(path, "the socket of an earlier server cannot be removed", error)
  })
}

async function answers(path: string): Promise<boolean> {
  try {
    const connection = await Bun.connect({ unix: path, socket: { data() {} } })
    connection.end()
    return true
  } catch {
    return false
  }
}
