import { BenchFailure } from "../failure"
import { percentile } from "../../src/measure/statistics"

/** The interval of health checks while the server generates speech, in ms. */
const PING_MS = 5

export interface SpeechMeasurement {
  /** From sending a request to its first byte of audio; one per client. */
  readonly firstByteMs: readonly number[]
  /** From the first request to the last byte of all. */
  readonly seconds: number
  readonly bytes: number
  /** The 99th percentile of the health checks' response times meanwhile, in ms. */
  readonly healthP99Ms: number
}

export interface SpeechLoad {
  readonly url: string
  readonly model: string
  readonly text: string
  readonly format: string
  readonly clients: number
}

/** Requests speech for a text from several clients at once. @throws BenchFailure if the server refuses */
export async function measureSpeech(load: SpeechLoad): Promise<SpeechMeasurement> {
  const stop = new AbortController()
  const health = pings(load.url, stop.signal)
  const startedAt = performance.now()
  const answers = await Promise.all(Array.from({ length: load.clients }, () => speak(load)))
  const seconds = (performance.now() - startedAt) / 1000
  stop.abort()
  return {
    firstByteMs: answers.map(({ firstByteMs }) => firstByteMs),
    seconds,
    bytes: answers.reduce((sum, { bytes }) => sum + bytes, 0),
    healthP99Ms: percentile(await health, 0.99),
  }
}

async function speak({ url, model, text, format }: SpeechLoad) {
  const startedAt = performance.now()
  const response = await fetch(`${url}/v1/audio/speech`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model, input: text, voice: "0", response_format: format }),
  })
  if (!response.ok || response.body === null)
    throw new BenchFailure(`the server answered ${response.status}: ${await response.text()}`)
  let firstByteMs: number | undefined
  let bytes = 0
  for await (const chunk of response.body) {
    firstByteMs ??= performance.now() - startedAt
    bytes += chunk.length
  }
  if (firstByteMs === undefined) throw new BenchFailure("the server sent no audio")
  return { firstByteMs, bytes }
}

/** The response times of the health checks, in ms. */
async function pings(url: string, signal: AbortSignal): Promise<number[]> {
  const times: number[] = []
  while (!signal.aborted) {
    const startedAt = performance.now()
    await (await fetch(`${url}/v0/health/live`)).arrayBuffer()
    times.push(performance.now() - startedAt)
    await Bun.sleep(PING_MS)
  }
  return times
}
