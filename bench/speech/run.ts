/** `bun run bench:speech --voice NAME.onnx`: the latency and speed of a Piper voice in every format. */
import { existsSync } from "node:fs"
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises"
import { tmpdir } from "node:os"
import { basename, join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { describeHost } from "../../src/measure/host"
import { freePort, ServerProcess } from "../server-process"
import { median, percentile } from "../../src/measure/statistics"
import { measureSpeech, type SpeechMeasurement } from "./measure"

const HELP = `How soon a voice's first byte comes and how fast it speaks, with one client and with four.

  bun run bench:speech --voice NAME.onnx [--binary FILE] [--repeat N] [--threads N] [--json FILE]`

const FORMATS = ["pcm", "wav", "flac", "mp3", "aac", "opus"] as const
const CLIENTS = [1, 4]

/** Six sentences of ordinary length, about 18 s. */
const TEXT =
  "The old lighthouse stood on a cliff above the grey sea. Every evening, the keeper climbed its narrow stairs and lit the " +
  "lamp. Ships far away saw the light, and turned away from the rocks. One night the storm was so strong that two of the " +
  "windows broke. He did not sleep until the last of them was safe. In the morning the sea was calm again, and the sun shone."

/** The goals on an idle machine with two cores: the first byte in ms, and time divided by the audio's length. */
const GOALS: Readonly<Record<string, { readonly firstByteMs: number; readonly factor?: number }>> = {
  pcm: { firstByteMs: 120, factor: 0.04 },
  wav: { firstByteMs: 120, factor: 0.04 },
  mp3: { firstByteMs: 140, factor: 0.04 },
  aac: { firstByteMs: 200 },
  opus: { firstByteMs: 200 },
}

const signal = AbortSignal.timeout(1_200_000)

const { values } = parseArgs({
  options: {
    voice: { type: "string" },
    binary: { type: "string", default: resolve(import.meta.dir, "../../dist/xllm") },
    repeat: { type: "string", default: "5" },
    threads: { type: "string" },
    json: { type: "string" },
    help: { type: "boolean", default: false },
  },
})

interface Row {
  readonly format: string
  readonly clients: number
  readonly firstByteMs: number
  readonly worstFirstByteMs: number
  /** Time divided by the length of all audio. */
  readonly factor: number
  readonly healthP99Ms: number
}

if (values.help || values.voice === undefined) console.log(HELP)
else await run(resolve(values.voice))

async function run(voice: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "xllm-speech-"))
  try {
    await mkdir(join(folder, "models/voice"), { recursive: true })
    for (const file of [voice, `${voice}.json`].filter(existsSync))
      await symlink(file, join(folder, "models/voice", basename(file)))
    await using server = await startServer(folder)
    const machine = describeHost()
    const rows = await measureAll(server.url)
    console.log(`${machine.cpu}, ${machine.cores} cores, load ${machine.load.toFixed(1)}`)
    console.table(rows.map(show))
    if (values.json !== undefined) await Bun.write(values.json, JSON.stringify({ machine, rows }, null, 2))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function startServer(folder: string): Promise<ServerProcess> {
  const port = freePort()
  const models = join(folder, "models")
  const threads = values.threads === undefined ? [] : ["--threads", values.threads]
  return ServerProcess.start(
    {
      command: [values.binary, "serve", "--port", `${port}`, "--models-dir", models, ...threads],
      env: { XLLM_HOME: join(folder, "home") },
      port,
      healthPath: "/v0/health/ready",
      logFile: join(folder, "log"),
    },
    signal,
  )
}

async function measureAll(url: string): Promise<Row[]> {
  const load = { url, model: "voice", text: TEXT }
  // Loads the voice and determines the length of the text's audio.
  const { bytes } = await measureSpeech({ ...load, format: "pcm", clients: 1 })
  const audioSeconds = bytes / 2 / (await sampleRate(`${values.voice}.json`))
  const rows: Row[] = []
  for (const format of FORMATS) {
    for (const clients of CLIENTS) {
      const runs: SpeechMeasurement[] = []
      for (let round = 0; round < Number(values.repeat); round++)
        runs.push(await measureSpeech({ ...load, format, clients }))
      rows.push(summarize(format, clients, audioSeconds, runs))
    }
  }
  return rows
}

async function sampleRate(config: string): Promise<number> {
  const { audio } = (await Bun.file(config).json()) as { audio: { sample_rate: number } } // Piper's own shape
  return audio.sample_rate
}

function summarize(
  format: string,
  clients: number,
  audioSeconds: number,
  runs: readonly SpeechMeasurement[],
): Row {
  const first = runs.flatMap(({ firstByteMs }) => firstByteMs)
  return {
    format,
    clients,
    firstByteMs: median(first),
    worstFirstByteMs: percentile(first, 1),
    factor: median(runs.map(({ seconds }) => seconds)) / (audioSeconds * clients),
    healthP99Ms: median(runs.map(({ healthP99Ms }) => healthP99Ms)),
  }
}

function show({ format, clients, firstByteMs, worstFirstByteMs, factor, healthP99Ms }: Row) {
  const goal = clients === 1 ? GOALS[format] : undefined
  const against = (value: number, most: number | undefined) =>
    most === undefined ? "" : value <= most ? ` (goal ${most}: met)` : ` (goal ${most}: missed)`
  return {
    format,
    clients,
    "first byte, ms": `${firstByteMs.toFixed(0)}${against(firstByteMs, goal?.firstByteMs)}`,
    "worst, ms": worstFirstByteMs.toFixed(0),
    "real-time factor": `${factor.toFixed(3)}${against(factor, goal?.factor)}`,
    "health p99, ms": healthP99Ms.toFixed(1),
  }
}
