import { readdir } from "node:fs/promises"
import type { Counts } from "./load"

/** A running server as seen from outside. */
export interface Sample {
  readonly at: Date
  /** Resident memory of the server process only. */
  readonly rssBytes: number
  readonly openFiles: number
  readonly children: number
  readonly counts: Counts
}

/** Reads /proc: Linux only. */
export async function takeSample(pid: number, counts: Counts): Promise<Sample> {
  const status = await Bun.file(`/proc/${pid}/status`).text()
  const kibibytes = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0)
  return {
    at: new Date(),
    rssBytes: kibibytes * 1024,
    openFiles: (await readdir(`/proc/${pid}/fd`)).length,
    children: await countChildren(pid),
    counts: { ...counts },
  }
}

async function countChildren(pid: number): Promise<number> {
  const text = await Bun.file(`/proc/${pid}/task/${pid}/children`).text()
  return text.trim().split(/\s+/).filter(Boolean).length
}

export function formatSample({ at, rssBytes, openFiles, children, counts }: Sample): string {
  const time = at.toISOString().slice(11, 19)
  const { finished, cancelled, failed } = counts
  return (
    `${time} ${(rssBytes / 2 ** 20).toFixed(1)} MiB, ${openFiles} files, ${children} workers; ` +
    `${finished} finished, ${cancelled} cancelled, ${failed} failed`
  )
}
