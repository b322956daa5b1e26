import { logSettings } from "../../../config/sections/log"
import { modelSettings } from "../../../config/sections/model"
import { storeSettings } from "../../../config/sections/pull"
import { connectionSettings } from "../../../config/sections/server"
import { decimal, integer, oneOf, text } from "../../../config/values"
import type { AudioFormat, SpeechRequest } from "../../../domain/media/speech"
import type { SpokenEvent } from "../../../engine/contract"
import { UsageError } from "../../../errors/cli"
import {
  AUDIO_FORMATS,
  sampleRateFor,
  SPEECH_SAMPLE_RATE,
  SPEECH_SPEED,
} from "../../../http/read/media-options"
import { TEXTS } from "../../../limits"
import { defineCommand } from "../../args/command"
import { configFlag, type FlagValues, grouped, switchFlag } from "../../args/flags"
import { type ModelWork, withModel } from "../../client/with-model"
import { loadingText, queuedText } from "../../client/print-answer"
import type { Io } from "../../terminal/io"
import { terminalSafe, toJson } from "../../terminal/output"
import { fileOutput, type OutputTarget, stdoutOutput } from "../../terminal/output-file"
import { startSpinner } from "../../terminal/spinner"

const flagTable = {
  output: {
    value: text("FILE"),
    description: "output file, whose extension sets the format; - = stdout",
    short: "o",
  },
  voice: {
    value: text("NAME", TEXTS.name),
    description: "speaker, by name or number (default: the first)",
  },
  speed: {
    value: decimal("N", SPEECH_SPEED.min, SPEECH_SPEED.max),
    description: "speaking rate, 0.25 to 4 (default 1)",
  },
  format: { value: oneOf(...AUDIO_FORMATS), description: "format, if the file's extension does not set it" },
  sampleRate: {
    value: integer("HZ", SPEECH_SAMPLE_RATE.min, SPEECH_SAMPLE_RATE.max),
    description: "samples per second (default: the voice's own; 24000 for pcm)",
  },
  rawText: switchFlag("speak the text as it is, with Markdown, addresses and emoji"),
  json: switchFlag("print a summary as JSON; needs a file"),
  ...grouped(connectionSettings, "Flags"),
  ...configFlag,
  ...grouped({ ...storeSettings, threads: modelSettings.threads, ...logSettings }, "Without a server"),
}

type SpeakFlags = FlagValues<typeof flagTable>

/** Formats by file extension. */
const ENDINGS: Readonly<Record<string, AudioFormat>> = {
  mp3: "mp3",
  opus: "opus",
  ogg: "opus",
  aac: "aac",
  flac: "flac",
  wav: "wav",
  pcm: "pcm",
  raw: "pcm",
}

export const command = defineCommand({
  name: "speak",
  summary: "Text to speech",
  words: "MODEL [TEXT…]",
  minimumWords: 1,
  details: `MODEL is a text-to-speech model, by name or path. Without TEXT, standard input is read. The audio is written to a file,
or to stdout for a player, there as WAV unless --format is given.

Uses the server at --host (or XLLM_HOST) if one answers; otherwise, and for a path, the model runs without a server.`,
  examples: [
    { line: 'xllm speak joe "Hello, world." -o hello.mp3', does: "a file" },
    { line: 'xllm speak joe "Hello, world." | aplay', does: "play it while it is synthesized" },
    { line: "xllm speak joe -o notes.opus --speed 1.2 < notes.txt", does: "text from a file, faster" },
  ],
  flags: flagTable,
  async run({ flags, words: [model = "", ...words], io }) {
    const input = await readText(words, io)
    const format = chooseFormat(flags)
    const sampleRate = sampleRateFor(format, flags.sampleRate)
    const toStdout = flags.output === undefined || flags.output === "-"
    if (toStdout && io.stdoutIsTerminal) {
      throw new UsageError(
        "refusing to write audio to a terminal; name a file with -o, or pipe it into a player",
      )
    }
    if (toStdout && flags.json) throw new UsageError("--json needs a file for the audio: name one with -o")
    await withModel(model, { flags, io }, async (work) => {
      await using output = toStdout ? stdoutOutput(io) : await fileOutput(flags.output ?? "")
      const request: SpeechRequest = {
        kind: "speech",
        model: work.model,
        input,
        format,
        speed: flags.speed ?? 1,
        ...(flags.voice !== undefined && { voice: flags.voice }),
        ...(sampleRate !== undefined && { sampleRate }),
        ...(flags.rawText && { rawText: true }),
      }
      const spoken = await speakInto(work, request, output, io)
      if (flags.json) io.write(toJson({ model: work.model, file: output.path, format, ...spoken }))
    })
  },
})

async function readText(words: readonly string[], io: Io): Promise<string> {
  const input = words.length > 0 ? words.join(" ") : io.stdinIsTerminal ? "" : await io.readInput()
  if (input.trim() === "")
    throw new UsageError("speak needs a TEXT: write it after the model's name, or pipe it in")
  const { maxLength } = TEXTS.speech
  const length = [...input].length
  if (length <= maxLength) return input
  throw new UsageError(`the text must have at most ${maxLength} characters, got ${length}; speak it in parts`)
}

/** @throws UsageError if the file's name does not determine the format */
function chooseFormat({ format, output }: SpeakFlags): AudioFormat {
  if (format !== undefined) return format
  if (output === undefined || output === "-") return "wav"
  const ending = /\.([^./]+)$/.exec(output)?.[1]?.toLowerCase() ?? ""
  const known = Object.hasOwn(ENDINGS, ending) ? ENDINGS[ending] : undefined
  if (known !== undefined) return known
  throw new UsageError(
    `the name of ${output} does not set the format; add --format ${AUDIO_FORMATS.join("|")}`,
  )
}

export async function speakInto(
  { backend, signal }: ModelWork,
  request: SpeechRequest,
  output: OutputTarget,
  io: Io,
) {
  const spinner = startSpinner(io)
  let bytes = 0
  let done: Extract<SpokenEvent, { readonly type: "done" }> | undefined
  try {
    for await (const event of backend.speak(request, signal)) {
      if (event.type === "loading") spinner.say(loadingText(event.fraction))
      else if (event.type === "queued") spinner.say(queuedText(event.position))
      else if (event.type === "done") done = event
      else if (event.type === "audio") {
        await output.write(event.bytes)
        bytes += event.bytes.byteLength
        // A player on the same terminal may print messages of its own.
        if (output.path === undefined) spinner.stop()
        else spinner.say("speaking")
      }
    }
    if (request.format === "wav") await writeWavSizes(output, bytes)
    await output.finish()
  } finally {
    spinner.stop()
  }
  for (const warning of done?.warnings ?? []) io.writeError(`warning: ${terminalSafe(warning)}\n`)
  return {
    bytes,
    audio_seconds: done?.usage.audioSeconds,
    characters: done?.usage.characters,
    sentences: done?.usage.sentences,
    timings: done && {
      queue_ms: done.timings.queueMs,
      load_ms: done.timings.loadMs,
      work_ms: done.timings.workMs,
    },
    ...(done?.warnings !== undefined && { warnings: done.warnings }),
  }
}

/** Bytes of the WAV header, which a stream starts with before its length is known. */
const WAV_HEADER_BYTES = 44

/**
 * Fills in the sizes once they are known: bytes after the first field and after the header (RIFF WAVE,
 * little-endian).
 */
async function writeWavSizes(output: OutputTarget, bytes: number): Promise<void> {
  if (bytes < WAV_HEADER_BYTES) return
  await output.rewrite(4, sizeField(bytes - 8))
  await output.rewrite(WAV_HEADER_BYTES - 4, sizeField(bytes - WAV_HEADER_BYTES))
}

function sizeField(size: number): Uint8Array {
  const field = new Uint8Array(4)
  new DataView(field.buffer).setUint32(0, size, true)
  return field
}
