/**
 * `bun bench/kill-workers.ts [XLLM]`: kills random workers a hundred times while clients stream. The server must
 * survive, every stream must end complete or with an error event, and from the 50th to the 100th kill the server must
 * not grow by 10 MB or leak files or children. XLLM is the executable; absent: the sources.
 */
import { readdirSync, readFileSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { writeTinyModel } from "../tests/support/files/tiny-model"

const KILLS = 100
const CLIENTS = 6
const MODELS = ["a", "b"] as const
const MOST_GROWTH_BYTES = 10_000_000
const JSON_BODY = { "content-type": "application/json" }

interface ServerFigures {
  readonly rssBytes: number
  readonly files: number
  readonly children: readonly string[]
}

interface LoadedWorker {
  readonly pid: number | null
  readonly state: string
}

async function main(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "xllm-kill-"))
  for (const [index, name] of MODELS.entries())
    writeTinyModel(join(folder, `${name}.gguf`), { seed: index + 1 })
  const executable = process.argv[2]
  const program = executable === undefined ? [process.execPath, "src/index.ts"] : [executable]
  const port = 20_000 + Math.floor(Math.random() * 20_000)
  const settings = ["--port", String(port), "--models-dir", folder, "--log-level", "off", "--gpu-layers", "0"]
  await using server = startServer([...program, "serve", ...settings])
  try {
    const url = `http://127.0.0.1:${port}`
    await untilHealthy(url)
    return report(await stress(url, server.child))
  } finally {
    await rm(folder, { recursive: true })
  }
}

function startServer(command: readonly string[]): AsyncDisposable & { readonly child: Bun.Subprocess } {
  const child = Bun.spawn([...command], { stdout: "ignore", stderr: "inherit" })
  return {
    child,
    async [Symbol.asyncDispose]() {
      child.kill()
      await child.exited
    },
  }
}

async function untilHealthy(url: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const response = await fetch(`${url}/v0/health`).catch(() => undefined)
    if (response?.ok === true) return
    await Bun.sleep(50)
  }
  throw new Error("the server did not start")
}

interface Findings {
  readonly ends: ReadonlyMap<string, number>
  readonly half: ServerFigures
  readonly end: ServerFigures
  readonly leftovers: readonly string[]
  readonly alive: boolean
}

async function stress(url: string, child: Bun.Subprocess): Promise<Findings> {
  const ends = new Map<string, number>()
  let over = false
  const clients = Array.from({ length: CLIENTS }, async (_none, index) => {
    while (!over) {
      const end = await stream(url, MODELS[index % MODELS.length] ?? "a")
      ends.set(end, (ends.get(end) ?? 0) + 1)
    }
  })
  const half = await killSome(url, child.pid, KILLS / 2)
  const end = await killSome(url, child.pid, KILLS / 2)
  over = true
  await Promise.all(clients)
  for (const model of MODELS)
    await fetch(`${url}/v0/stop`, {
      method: "POST",
      headers: JSON_BODY,
      body: JSON.stringify({ model }),
    }).then((r) => r.text())
  return { ends, half, end, leftovers: figuresOf(child.pid).children, alive: child.exitCode === null }
}

/** Requests one answer, and returns how it ended. */
async function stream(url: string, model: string): Promise<string> {
  const body = JSON.stringify({ model, prompt: "one two three", max_tokens: 60, stream: true })
  try {
    const response = await fetch(`${url}/v1/completions`, { method: "POST", headers: JSON_BODY, body })
    const text = await response.text()
    if (text.includes("data: [DONE]")) return text.includes('"error"') ? "error event" : "whole"
    return text.includes('"error"') ? `error ${response.status}` : "CUT SHORT"
  } catch (error) {
    return `LOST: ${String(error)}`
  }
}

/**
 * Kills `count` ready workers with SIGKILL, then waits until everything is loaded again and returns the server's
 * figures.
 */
async function killSome(url: string, server: number, count: number): Promise<ServerFigures> {
  for (let killed = 0; killed < count;) {
    const ready = await readyWorkers(url)
    const pid = ready[Math.floor(Math.random() * ready.length)]
    if (pid !== undefined) {
      process.kill(pid, "SIGKILL")
      killed += 1
    }
    await Bun.sleep(100)
  }
  while ((await readyWorkers(url)).length < MODELS.length) await Bun.sleep(20)
  await Bun.sleep(1000)
  return figuresOf(server)
}

async function readyWorkers(url: string): Promise<readonly number[]> {
  // Our own server's answer, as declared in `http/v0/bodies/`.
  const body = (await (await fetch(`${url}/v0/ps`)).json()) as { readonly models: readonly LoadedWorker[] }
  return body.models.flatMap(({ pid, state }) => (state === "ready" && pid !== null ? [pid] : []))
}

function figuresOf(pid: number): ServerFigures {
  const status = readFileSync(`/proc/${pid}/status`, "utf8")
  return {
    rssBytes: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1024,
    files: readdirSync(`/proc/${pid}/fd`).length,
    children: readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean),
  }
}

function report({ ends, half, end, leftovers, alive }: Findings): number {
  for (const [how, count] of ends) console.log(`${count} streams: ${how}`)
  const growth = end.rssBytes - half.rssBytes
  console.log(`after ${KILLS / 2} kills ${describe(half)}; after ${KILLS} ${describe(end)}`)
  const failures = [
    ...(alive ? [] : ["the server has ended"]),
    ...[...ends.keys()].filter((how) => how.startsWith("LOST") || how.startsWith("CUT")),
    ...(growth < MOST_GROWTH_BYTES ? [] : [`the server has grown by ${growth} bytes`]),
    ...(end.files <= half.files ? [] : [`${end.files - half.files} more open files`]),
    ...(leftovers.length === 0 ? [] : [`children are left: ${leftovers.join(" ")}`]),
  ]
  for (const failure of failures) console.log(`FAILED: ${failure}`)
  return failures.length === 0 ? 0 : 1
}

function describe({ rssBytes, files, children }: ServerFigures): string {
  return `${(rssBytes / 1e6).toFixed(1)} MB, ${files} files, ${children.length} children`
}

process.exitCode = await main()
