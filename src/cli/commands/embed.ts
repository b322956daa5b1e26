import { logSettings } from "../../config/sections/log"
import { modelSettings } from "../../config/sections/model"
import { storeSettings } from "../../config/sections/pull"
import { connectionSettings } from "../../config/sections/server"
import { integer, oneOf } from "../../config/values"
import type { EmbeddingRequest } from "../../domain/embedding"
import { UsageError } from "../../errors/cli"
import { VectorBuilder } from "../../http/render/vectors"
import { COUNTS, NUMBERS } from "../../limits"
import { defineCommand } from "../args/command"
import { configFlag, type FlagValues, grouped, switchFlag } from "../args/flags"
import { loadingText, queuedText } from "../client/print-answer"
import { type ModelWork, withModel } from "../client/with-model"
import type { Io } from "../terminal/io"
import { startSpinner } from "../terminal/spinner"

const FORMATS = ["json", "array", "base64"] as const

const flagTable = {
  format: {
    value: oneOf(...FORMATS),
    description: "a line is a JSON object (default), an array of numbers, or base64 of 32-bit floats",
  },
  dimensions: {
    value: integer("N", NUMBERS.dimensions.min, NUMBERS.dimensions.max),
    description: "only the first N numbers of each vector, scaled to length 1 again",
  },
  truncate: switchFlag("cut texts that are too long at their end"),
  ...grouped(connectionSettings, "Flags"),
  ...configFlag,
  ...grouped({ ...storeSettings, threads: modelSettings.threads, ...logSettings }, "Without a server"),
}

type EmbedFlags = FlagValues<typeof flagTable>

export const command = defineCommand({
  name: "embed",
  summary: "Turn texts into vectors",
  words: "MODEL TEXT… | -",
  minimumWords: 1,
  details: `MODEL is an embedding model, or a text model, by name or path. Each TEXT is one text; with -, or without TEXT, each
line of standard input is. Prints one line for each text, in their order.

Uses the server at --host (or XLLM_HOST) if one answers; otherwise, and for a path, the model runs without a server.`,
  examples: [
    { line: 'xllm embed minilm "The sky is blue." "Grass is green."', does: "two lines of JSON" },
    { line: "xllm embed minilm - --format base64 < titles.txt", does: "a vector for every line of a file" },
    { line: 'xllm embed qwen3-embedding "a text" --dimensions 256', does: "a shorter vector" },
  ],
  flags: flagTable,
  async run({ flags, words: [model = "", ...words], io }) {
    const texts = await readTexts(words, io)
    await withModel(model, { flags, io }, async (work) => {
      for (let at = 0; at < texts.length; at += TEXTS_AT_A_TIME)
        await printVectors(work, texts.slice(at, at + TEXTS_AT_A_TIME), at, flags, io)
    })
  },
})

/** Enough to keep the model busy; the first lines are printed soon all the same. */
const TEXTS_AT_A_TIME = COUNTS.embeddingInputs.maxItems / 8

/** @throws UsageError where there are none */
async function readTexts(words: readonly string[], io: Io): Promise<readonly string[]> {
  const isPiped = words.length === 0 || (words.length === 1 && words[0] === "-")
  if (!isPiped) return words
  const input = io.stdinIsTerminal ? "" : await io.readInput()
  const lines = input.replace(/\r?\n$/, "").split(/\r?\n/)
  if (input.trim() !== "") return lines
  throw new UsageError("embed needs a TEXT: write it after the model's name, or pipe lines in")
}

/** `first`: the number of the first text. */
async function printVectors(
  { backend, model, signal }: ModelWork,
  inputs: readonly string[],
  first: number,
  { format = "json", dimensions, truncate }: EmbedFlags,
  io: Io,
): Promise<void> {
  const request: EmbeddingRequest = {
    kind: "embedding",
    model,
    inputs,
    truncation: truncate ? "start" : "no",
    ...(dimensions !== undefined && { dimensions }),
  }
  const builder = new VectorBuilder(inputs.length)
  const spinner = startSpinner(io)
  try {
    for await (const event of backend.embed(request, signal)) {
      if (event.type === "loading") spinner.say(loadingText(event.fraction))
      else if (event.type === "queued") spinner.say(queuedText(event.position))
      else builder.add(event)
    }
  } finally {
    spinner.stop()
  }
  for (const [index, vector] of builder.build().vectors.entries())
    io.write(`${lineOf(vector, first + index, format)}\n`)
}

function lineOf(vector: Float32Array, index: number, format: (typeof FORMATS)[number]): string {
  const { buffer, byteOffset, byteLength } = vector
  if (format === "base64") return new Uint8Array(buffer, byteOffset, byteLength).toBase64()
  const numbers = `[${vector.join(",")}]`
  return format === "array" ? numbers : `{"index":${index},"embedding":${numbers}}`
}
