/** `bun bench/images/run.ts`: compares the time per image step here and with the engine's own package alone. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { basename, dirname, join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { bareRuntimePackage, enginePackageFolder } from "../../src/native/image-engine"
import { usableCores } from "../../src/worker/cores"
import { writeTinyImageModel } from "../../tests/support/files/tiny-image-model"
import { describeHost } from "../../src/measure/host"
import { freePort, ServerProcess } from "../server-process"
import { eventData } from "../../src/measure/http/event-data"
import { median, percentile } from "../../src/measure/statistics"

const HELP = `Draws with xLLM and with a plain script on the engine's own package, by turns.

  bun bench/images/run.ts [--model FILE] [--size N] [--steps N] [--pictures N] [--rounds N] [--threads N] [--binary FILE]

  --model FILE   a checkpoint in one file (default: Stable Diffusion 1.5 with weights of zero, made now)
  --size N       width and height (default 256)
  --steps N      steps of a picture, at least 2 (default 4)
  --pictures N   of each program in a round (default 2)
  --rounds N     rounds; each turns the order round (default 2)
  --threads N    of both (default: the cores that may be used)
  --binary FILE  the server (default dist/xllm)`

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    size: { type: "string", default: "256" },
    steps: { type: "string", default: "4" },
    pictures: { type: "string", default: "2" },
    rounds: { type: "string", default: "2" },
    threads: { type: "string", default: String(usableCores()) },
    binary: { type: "string", default: resolve(import.meta.dir, "../../dist/xllm") },
    help: { type: "boolean", default: false },
  },
})

/** The task given to both programs. */
interface Work {
  readonly model: string
  readonly threads: number
  readonly size: number
  readonly steps: number
  readonly pictures: number
}

/** The times of one image, in ms since the request. */
interface Picture {
  readonly stepsAt: readonly number[]
  readonly pictureMs: number
}

/** The interval of the server's health checks, in ms. */
const PROBE_EVERY_MS = 20

if (values.help) console.log(HELP)
else await run()

async function run(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "xllm-bench-images-"))
  try {
    const model =
      values.model === undefined ? join(folder, "models/painter.safetensors") : resolve(values.model)
    if (values.model === undefined) {
      await Bun.write(join(folder, "models/.keep"), "")
      writeTinyImageModel(model)
    }
    const work = {
      model,
      threads: Number(values.threads),
      size: Number(values.size),
      steps: Number(values.steps),
      pictures: Number(values.pictures),
    }
    console.log(JSON.stringify(describeHost()))
    const ours: Picture[] = []
    const plain: Picture[] = []
    const delays: number[] = []
    await using server = await startServer(folder, work)
    await drawOurs(server.url, { ...work, pictures: 1 }) // loads the model
    for (let round = 0; round < Number(values.rounds); round++) {
      const turns = [
        async () => ours.push(...(await whileProbing(server.url, delays, () => drawOurs(server.url, work)))),
        async () => plain.push(...(await drawPlain(work))),
      ]
      for (const turn of round % 2 === 0 ? turns : turns.reverse()) await turn()
    }
    report({ ours, plain, delays })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function startServer(folder: string, { model, threads }: Work): Promise<ServerProcess> {
  const port = freePort()
  const flags = ["--models-dir", dirname(model), "--threads", `${threads}`, "--gpu-layers", "0"]
  return ServerProcess.start(
    {
      command: [values.binary, "serve", "--port", `${port}`, ...flags],
      env: { XLLM_HOME: join(folder, "home") },
      port,
      healthPath: "/v0/health/ready",
      logFile: join(folder, "log"),
    },
    AbortSignal.timeout(60_000),
  )
}

async function drawOurs(url: string, { model, size, steps, pictures }: Work): Promise<Picture[]> {
  const drawn: Picture[] = []
  for (let seed = 0; seed < pictures; seed++) {
    const startedAt = performance.now()
    const response = await fetch(`${url}/v1/images/generations`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        model: basename(model).replace(/\.(safetensors|gguf)$/, ""),
        prompt: "a cat",
        size: `${size}x${size}`,
        steps,
        seed,
        cfg_scale: 1,
        stream: true,
        response_format: "b64_json",
      }),
    })
    if (!response.ok) throw new Error(`the server answered ${await response.text()}`)
    const stepsAt: number[] = []
    let pictureMs: number | undefined
    for await (const data of eventData(response)) {
      // The server's own events; the text of a failure is shown.
      const event = JSON.parse(data) as { readonly type?: string }
      if (event.type?.endsWith(".progress")) stepsAt.push(performance.now() - startedAt)
      else if (event.type?.endsWith(".completed")) pictureMs ??= performance.now() - startedAt
      else if (!event.type?.endsWith(".done")) throw new Error(`the server sent ${data}`)
    }
    if (pictureMs === undefined) throw new Error("the server sent no picture")
    drawn.push({ stepsAt, pictureMs })
  }
  return drawn
}

async function drawPlain(work: Work): Promise<Picture[]> {
  const name = bareRuntimePackage(process.platform, process.arch)
  const folder = name && enginePackageFolder(name)
  if (folder === undefined) throw new Error("the Bare runtime is not installed; run 'npm ci'")
  const child = Bun.spawn(
    [join(folder, "bin/bare"), join(import.meta.dir, "plain.cjs"), JSON.stringify(work)],
    {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    },
  )
  const text = await child.stderr.text()
  const pictures = [...text.matchAll(/^BENCH (.*)$/gm)].map(([, json = ""]) => JSON.parse(json) as Picture)
  if (pictures.length !== work.pictures)
    throw new Error(`the plain script failed: ${text.trim().slice(-500)}`)
  return pictures
}

/** Measures the server's response times while `work` runs: how long other requests would wait for its event loop. */
async function whileProbing<T>(url: string, delays: number[], work: () => Promise<T>): Promise<T> {
  let isOver = false
  const probing = (async () => {
    while (!isOver) {
      const askedAt = performance.now()
      await (await fetch(`${url}/v0/health/ready`)).arrayBuffer()
      delays.push(performance.now() - askedAt)
      await Bun.sleep(PROBE_EVERY_MS)
    }
  })()
  try {
    return await work()
  } finally {
    isOver = true
    await probing
  }
}

function report({ ours, plain, delays }: { ours: Picture[]; plain: Picture[]; delays: number[] }): void {
  const row = (name: string, of: (picture: Picture) => number): string => {
    const [mine, theirs] = [median(ours.map(of)), median(plain.map(of))]
    return `${name.padEnd(22)} ${seconds(mine)}   ${seconds(theirs)}   ${(mine / theirs).toFixed(3)}`
  }
  console.log(`${"".padEnd(22)} xLLM      plain     ratio`)
  console.log(row("seconds per step", stepMs))
  console.log(row("seconds per picture", ({ pictureMs }) => pictureMs))
  const [p50, p99] = [percentile(delays, 0.5), percentile(delays, 0.99)]
  console.log(`the server's answer while it draws: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`)
}

/** Excludes the first step, before which the prompt is encoded. */
function stepMs({ stepsAt }: Picture): number {
  const [first = 0] = stepsAt
  return ((stepsAt.at(-1) ?? 0) - first) / (stepsAt.length - 1)
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(3)} s`
}
