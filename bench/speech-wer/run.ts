/**
 * `bun bench/speech-wer/run.ts [--xllm FILE] [--python FILE] [--runs N]`: word error rates of transcription models,
 * for real recordings and for a real voice in every format. Compares our Whisper and Moonshine, and with --python (a
 * Python with the package faster-whisper) an independent implementation. Uses the files of the real speech tests.
 */
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { parseArgs } from "node:util"
import { HARVARD_SENTENCES } from "../../tests/support/files/sentences"
import { BECKETT, type RealSpeech, realSpeech, TWO_CITIES } from "../../tests/support/real/real-speech"
import { wordErrorRate } from "../../tests/support/word-errors"
import { freePort, ServerProcess } from "../server-process"

const FORMATS = ["wav", "flac", "mp3", "opus", "aac"]
const RECOGNIZERS = ["whisper", "moonshine"]

interface Recording {
  readonly name: string
  readonly path: string
  readonly said: string
}

/** Word error rates by transcription model. */
type Rates = Readonly<Record<string, number>>

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { xllm: { type: "string" }, python: { type: "string" }, runs: { type: "string", default: "3" } },
  })
  const files = realSpeech()
  if (files === undefined) return 1
  const folder = await mkdtemp(join(tmpdir(), "xllm-wer-"))
  try {
    await using server = await startServer(folder, files, values.xllm)
    const recordings = await collect(server.url, folder, files, Number(values.runs))
    const independent = values.python === undefined ? {} : await askPeer(values.python, files, recordings)
    for (const recording of recordings) {
      const rates: Record<string, number> = {}
      for (const model of RECOGNIZERS)
        rates[model] = wordErrorRate(recording.said, await transcribe(server.url, model, recording))
      const heard = independent[recording.path]
      if (heard !== undefined) rates["faster-whisper"] = wordErrorRate(recording.said, heard)
      print(recording, rates)
    }
    return 0
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function startServer(
  folder: string,
  files: RealSpeech,
  xllm: string | undefined,
): Promise<ServerProcess> {
  const models = join(folder, "models")
  await cp(files.whisper, join(models, "whisper"), { recursive: true })
  await cp(files.moonshine, join(models, "moonshine"), { recursive: true })
  await mkdir(join(models, "voice"))
  for (const path of [files.piper, `${files.piper}.json`])
    await cp(path, join(models, "voice", basename(path)))
  const port = freePort()
  const program =
    xllm === undefined ? [process.execPath, join(import.meta.dir, "../../src/index.ts")] : [xllm]
  return await ServerProcess.start(
    {
      command: [...program, "serve", "--port", String(port), "--models-dir", models],
      env: { XLLM_HOME: folder },
      port,
      healthPath: "/v0/health",
      logFile: join(folder, "server.log"),
    },
    new AbortController().signal,
  )
}

/** The human recordings, and the voice's output. */
async function collect(url: string, folder: string, files: RealSpeech, runs: number): Promise<Recording[]> {
  const recordings: Recording[] = [
    { name: "beckett", path: files.beckett, said: BECKETT },
    { name: "two cities", path: files.twoCities, said: TWO_CITIES },
  ]
  for (const format of FORMATS)
    for (let run = 1; run <= runs; run++) {
      const path = join(folder, `${run}.${format}`)
      const body = JSON.stringify({
        model: "voice",
        voice: "0",
        input: HARVARD_SENTENCES,
        response_format: format,
      })
      const headers = { "content-type": "application/json" }
      const response = await fetch(`${url}/v1/audio/speech`, { method: "POST", headers, body })
      if (!response.ok) throw new Error(await response.text())
      await Bun.write(path, response)
      recordings.push({ name: `voice, ${format} ${run}`, path, said: HARVARD_SENTENCES })
    }
  return recordings
}

async function transcribe(url: string, model: string, { path }: Recording): Promise<string> {
  const form = new FormData()
  form.append("model", model)
  form.append("response_format", "text")
  form.append("file", Bun.file(path), basename(path))
  const response = await fetch(`${url}/v1/audio/transcriptions`, { method: "POST", body: form })
  if (!response.ok) throw new Error(await response.text())
  return await response.text()
}

async function askPeer(
  python: string,
  { whisper }: RealSpeech,
  recordings: readonly Recording[],
): Promise<Readonly<Record<string, string>>> {
  const script = join(import.meta.dir, "faster-whisper.py")
  const paths = recordings.map(({ path }) => path)
  const child = Bun.spawn([python, script, whisper, ...paths], { stdout: "pipe", stderr: "inherit" })
  const output = await child.stdout.text()
  if ((await child.exited) !== 0) throw new Error("faster-whisper failed")
  return JSON.parse(output) as Record<string, string> // written by the script
}

function print({ name }: Recording, rates: Rates): void {
  const cells = Object.entries(rates).map(([who, rate]) => `${who} ${(rate * 100).toFixed(1)} %`)
  console.log([name.padEnd(16), ...cells.map((cell) => cell.padEnd(22))].join(" ").trimEnd())
}

process.exitCode = await main()
