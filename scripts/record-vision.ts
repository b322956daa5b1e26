import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { REAL_MODEL_PATH } from "../tests/support/real/real-model"
import { writeEye } from "../tests/support/vision/eye"
import { mediaBytes, RECORDED_CASES, RECORDINGS_PATH } from "../tests/support/vision/recorded-cases"
import type { Recording, RecordedToken } from "../tests/support/vision/recorded-cases"
import { writeTinyVision } from "../tests/support/vision/tiny-vision"

/**
 * Records what llama-server answers about the test pictures, for tests that compare log probabilities:
 * `bun scripts/record-vision.ts PATH-OF-LLAMA-SERVER [FAMILY…]`. The server's version must be that of the pinned
 * llama.cpp. Weights and cache are F32, without flash attention, so that only the order of additions differs.
 */
const [server, ...families] = process.argv.slice(2)
if (server === undefined) throw new Error("usage: bun scripts/record-vision.ts LLAMA-SERVER [FAMILY…]")

const PORT = 7399
const MARKER = "<__media__>"
const TOP = 20
const TOKENS = 8

const folder = mkdtempSync(join(tmpdir(), "record-vision-"))
const recordings: Record<string, Recording> =
  families.length === 0 ? {} : ((await Bun.file(RECORDINGS_PATH).json()) as Record<string, Recording>)
try {
  for (const family of new Set(RECORDED_CASES.map((recorded) => recorded.family))) {
    if (families.length > 0 && !families.includes(family)) continue
    const { model, projector } =
      family === "eye"
        ? { model: REAL_MODEL_PATH, projector: writeEye(folder) }
        : writeTinyVision(folder, family)
    await record(server, family, model, projector)
  }
} finally {
  rmSync(folder, { recursive: true })
}
await Bun.write(RECORDINGS_PATH, `${JSON.stringify(recordings, null, 1)}\n`)

async function record(program: string, family: string, model: string, projector: string): Promise<void> {
  const log = join(tmpdir(), `record-vision-${family}.log`)
  const child = Bun.spawn(
    [
      program,
      ...["-m", model, "--mmproj", projector, "--port", `${PORT}`, "-c", "4096", "-np", "1", "-t", "2"],
      ...["-ctk", "f32", "-ctv", "f32", "-fa", "off", "-fit", "off", "--no-warmup"],
    ],
    { env: { ...process.env, LLAMA_MEDIA_MARKER: MARKER }, stdout: "ignore", stderr: Bun.file(log) },
  )
  try {
    await untilReady(child, log)
    for (const recorded of RECORDED_CASES.filter((other) => other.family === family)) {
      const answer = await fetch(`http://127.0.0.1:${PORT}/completion`, {
        method: "POST",
        body: JSON.stringify({
          prompt: {
            prompt_string: recorded.prompt.replaceAll("<media>", MARKER),
            multimodal_data: recorded.media.map((media) => Buffer.from(mediaBytes(media)).toString("base64")),
          },
          n_predict: TOKENS,
          n_probs: TOP,
          temperature: 0,
          cache_prompt: false,
          ignore_eos: true,
        }),
      })
      if (!answer.ok) throw new Error(`${family}: ${await answer.text()}; see ${log}`)
      recordings[`${family}: ${recorded.name}`] = recordingOf((await answer.json()) as Answer)
    }
  } finally {
    child.kill()
    await child.exited
  }
}

interface Token {
  readonly id: number
  readonly token: string
  readonly logprob: number
}

interface Answer {
  readonly content: string
  readonly tokens_evaluated: number
  readonly completion_probabilities: readonly (Token & { readonly top_logprobs: readonly Token[] })[]
}

function recordingOf({ content, tokens_evaluated, completion_probabilities }: Answer): Recording {
  return {
    promptTokens: tokens_evaluated,
    text: content,
    tokens: completion_probabilities.map(short),
    top: (completion_probabilities[0]?.top_logprobs ?? []).map(short),
  }
}

function short({ id, token, logprob }: Token): RecordedToken {
  return [id, token, Number(logprob.toPrecision(9))]
}

async function untilReady(child: Bun.Subprocess, log: string): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`llama-server ended; see ${log}`)
    const health = await fetch(`http://127.0.0.1:${PORT}/health`).catch(() => undefined)
    if (health?.ok === true) return
    await Bun.sleep(100)
  }
}
