/** `bun bench/soak/run.ts --minutes 10`: checks that a server under load stays stable. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { freePort, ServerProcess } from "../server-process"
import { Load } from "./load"
import { formatSample, type Sample, takeSample } from "./sample"

const HELP = `Sends mixed requests to three small models, of which two fit, and cancels some; watches the server meanwhile.

  bun bench/soak/run.ts [--minutes N] [--clients N] [--binary FILE]

  --minutes N    how long (default 10)
  --clients N    requests at the same time (default 8)
  --binary FILE  the server (default dist/xllm)`

const SAMPLE_EVERY_MS = 10_000
const MODELS = ["ada", "ben", "cleo"] as const

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    clients: { type: "string", default: "8" },
    binary: { type: "string", default: resolve(import.meta.dir, "../../dist/xllm") },
    help: { type: "boolean", default: false },
  },
})

if (values.help) console.log(HELP)
else process.exitCode = await soak(Number(values.minutes) * 60_000, Number(values.clients))

/** Returns the exit code: 1 if a request failed without having been cancelled. */
async function soak(durationMs: number, clients: number): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "xllm-soak-"))
  try {
    await writeModels(folder)
    const port = freePort()
    await using server = await ServerProcess.start(
      {
        command: [
          values.binary,
          "serve",
          "--port",
          `${port}`,
          "--models-dir",
          folder,
          "--max-models",
          "2",
          "--ctx",
          "1024",
        ],
        env: { XLLM_HOME: join(folder, "home") },
        port,
        healthPath: "/v0/health/ready",
        logFile: join(folder, "log"),
      },
      AbortSignal.timeout(60_000),
    )
    return await watch(server, new Load(server.url, MODELS, clients), durationMs)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function watch(server: ServerProcess, load: Load, durationMs: number): Promise<number> {
  const samples: Sample[] = []
  const endsAt = performance.now() + durationMs
  load.start()
  while (performance.now() < endsAt) {
    await Bun.sleep(SAMPLE_EVERY_MS)
    const sample = await takeSample(server.pid, load.counts)
    samples.push(sample)
    console.log(formatSample(sample))
  }
  await load.stop()
  const last = await takeSample(server.pid, load.counts)
  console.log(`at rest: ${formatSample(last)}`)
  // The first third is warm-up: caches fill and code is compiled.
  const warm = samples[Math.floor(samples.length / 3)] ?? last
  console.log(
    `server memory since the first third: ${((last.rssBytes - warm.rssBytes) / 2 ** 20).toFixed(1)} MiB`,
  )
  for (const [message, count] of load.failures) console.log(`failed ${count} times: ${message}`)
  return load.failures.size === 0 ? 0 : 1
}

async function writeModels(folder: string): Promise<void> {
  const script = resolve(import.meta.dir, "../../scripts/write-tiny-model.ts")
  for (const name of MODELS) {
    const child = Bun.spawn([process.execPath, script, join(folder, `${name}.gguf`)], { stderr: "inherit" })
    if ((await child.exited) !== 0) throw new Error("the models could not be written")
  }
}
