import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from "node:os"

/** The machine that the numbers were measured on, without which they mean nothing. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly os: string
  /** For the minute before the run: well above 0 means that other programs were computing too. */
  readonly loadAverage: number
  readonly bun: string
}

export async function describeMachine(): Promise<Machine> {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    os: `${(await distribution()) ?? platform()} (${platform()} ${release()}, ${arch()})`,
    loadAverage: loadavg()[0] ?? 0,
    bun: Bun.version,
  }
}

async function distribution(): Promise<string | undefined> {
  const file = Bun.file("/etc/os-release")
  if (!(await file.exists())) return undefined
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(await file.text())?.[1]
}
