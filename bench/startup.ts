import { join } from "node:path"
import { readdir } from "node:fs/promises"
import { BenchFailure } from "./failure"
import type { Metric, Role } from "./load"
import { freePort, ServerProcess } from "./server-process"
import type { Sample } from "./statistics"
import type { Executable } from "./target"

/** How long an idle server settles before its memory is read. */
const SETTLE_MS = 3_000

/** The program's costs before it does any work; reported like a load, but measured without requests. */
export const startup = {
  name: "startup",
  title: "without a model",
  metrics: [
    { name: "firstAnswer", label: "start to first 200", unit: "ms" },
    { name: "version", label: "--version", unit: "ms" },
    { name: "idleMemory", label: "idle memory (RSS)", unit: "MB" },
    { name: "binary", label: "binary", unit: "MB" },
  ] satisfies readonly Metric[],
  peers: ["default"] satisfies readonly Role[],
}

/** Starts the program twice: once for its version, and once as a server that is left idle. */
export async function measureStartup(
  executable: Executable,
  workspace: string,
  signal: AbortSignal,
): Promise<Sample> {
  const version = await versionMs(executable, signal)
  const port = freePort()
  await using server = await ServerProcess.start(
    {
      command: executable.serve(port),
      env: executable.env,
      port,
      healthPath: executable.healthPath,
      logFile: join(workspace, "startup.log"),
    },
    signal,
  )
  await Bun.sleep(SETTLE_MS)
  const memory = await treeMemoryMB(server.pid)
  return {
    firstAnswer: server.startMs,
    version,
    ...(memory !== undefined && { idleMemory: memory }),
    ...(executable.file !== undefined && { binary: Bun.file(executable.file).size / 1e6 }),
  }
}

/** The version line of a program's `--version` output. */
export async function readVersion(executable: Executable, signal: AbortSignal): Promise<string> {
  const child = Bun.spawn([...executable.version], { env: childEnv(executable), stderr: "pipe", signal })
  const [output, complaints] = await Promise.all([child.stdout.text(), child.stderr.text()])
  const lines = `${output}\n${complaints}`.split("\n").filter((line) => /\d/.test(line))
  // llama-server prints log lines around it.
  return (lines.find((line) => line.startsWith("version")) ?? lines[0])?.trim() ?? "unknown"
}

async function versionMs(executable: Executable, signal: AbortSignal): Promise<number> {
  const startedAt = performance.now()
  const child = Bun.spawn([...executable.version], {
    env: childEnv(executable),
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
    signal,
  })
  const code = await child.exited
  if (code !== 0) throw new BenchFailure(`${executable.version.join(" ")} exited with ${code}`)
  return performance.now() - startedAt
}

function childEnv(executable: Executable): Record<string, string | undefined> {
  return { ...process.env, ...executable.env }
}

/** Resident memory of a process and its children, in MB (10^6 bytes); undefined if there is no /proc. */
async function treeMemoryMB(pid: number): Promise<number | undefined> {
  const own = await residentKiB(pid)
  if (own === undefined) return undefined
  const children = await childrenOf(pid)
  const memory = await Promise.all(children.map(treeMemoryMB))
  return (own * 1024) / 1e6 + memory.reduce<number>((sum, child) => sum + (child ?? 0), 0)
}

async function residentKiB(pid: number): Promise<number | undefined> {
  const status = await readProc(`/proc/${pid}/status`)
  const kibibytes = /^VmRSS:\s+(\d+) kB/m.exec(status ?? "")?.[1]
  return kibibytes === undefined ? undefined : Number(kibibytes)
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => [])
  const lists = await Promise.all(threads.map((thread) => readProc(`/proc/${pid}/task/${thread}/children`)))
  return lists.flatMap((list) => list?.split(" ").filter(Boolean).map(Number) ?? [])
}

/** Undefined if the process, or /proc itself, does not exist. */
async function readProc(path: string): Promise<string | undefined> {
  return await Bun.file(path)
    .text()
    .catch(() => undefined)
}
