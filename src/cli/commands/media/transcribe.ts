import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { logSettings } from "../../../config/sections/log"
import { modelSettings } from "../../../config/sections/model"
import { storeSettings } from "../../../config/sections/pull"
import { connectionSettings } from "../../../config/sections/server"
import { oneOf, text } from "../../../config/values"
import type { TranscriptionRequest } from "../../../domain/media/transcription"
import { XllmError } from "../../../errors/base"
import { UsageError } from "../../../errors/cli"
import { FileFailed } from "../../../errors/store"
import { toSrt, toVtt } from "../../../formats/subtitles"
import { TranscriptBuilder } from "../../../formats/transcript"
import { TRANSCRIPT_FORMATS, type TranscriptFormat } from "../../../http/read/media-options"
import { toVerboseJson } from "../../../http/render/verbose-transcript"
import { TEXTS } from "../../../limits"
import { defineCommand } from "../../args/command"
import { configFlag, type FlagValues, grouped, switchFlag } from "../../args/flags"
import { type ModelWork, withModel } from "../../client/with-model"
import { loadingText, queuedText } from "../../client/print-answer"
import { existingFile } from "../../terminal/given-file"
import type { Io } from "../../terminal/io"
import { terminalSafe, toJson } from "../../terminal/output"
import { startSpinner } from "../../terminal/spinner"

const flagTable = {
  format: { value: oneOf(...TRANSCRIPT_FORMATS), description: "output format (default text)" },
  language: {
    value: text("LANGUAGE", TEXTS.word),
    description: "spoken language, as a code or in English: de, de-DE, German (default: detected)",
  },
  translate: switchFlag("translate into English"),
  words: switchFlag("include the time of each word, in JSON"),
  json: switchFlag("print JSON, with times and timings"),
  ...grouped(connectionSettings, "Flags"),
  ...configFlag,
  ...grouped({ ...storeSettings, threads: modelSettings.threads, ...logSettings }, "Without a server"),
}

type TranscribeFlags = FlagValues<typeof flagTable>

export const command = defineCommand({
  name: "transcribe",
  summary: "Transcribe audio",
  words: "MODEL FILE",
  minimumWords: 2,
  maximumWords: 2,
  details: `MODEL is a speech-to-text model (ASR), by name or path; FILE is a recording, or - for standard input.

Uses the server at --host (or XLLM_HOST) if one answers; otherwise, and for a path, the model runs without a server.`,
  examples: [
    { line: "xllm transcribe whisper talk.mp3", does: "print the text as it is recognized" },
    { line: "xllm transcribe whisper talk.mp3 --format srt > talk.srt", does: "subtitles" },
    { line: "xllm transcribe whisper - --language de < rede.ogg", does: "German, from standard input" },
    { line: "xllm transcribe whisper talk.mp3 --json --words", does: "JSON with the time of every word" },
  ],
  flags: flagTable,
  async run({ flags, words: [model = "", file = ""], io }) {
    const format = chooseFormat(flags)
    await using recording = file === "-" ? await pipedFile(io) : await recordingAt(file)
    await withModel(model, { flags, io, files: [recording.path] }, (work) =>
      printTranscript(work, recording.path, format, flags, io),
    )
  },
})

type Format = TranscriptFormat | "all"

/** @throws UsageError */
function chooseFormat({ format, json, words }: TranscribeFlags): Format {
  if (json && format !== undefined) throw new UsageError("give one of --json and --format")
  if (words && !json && format !== "verbose_json") {
    throw new UsageError("--words needs --json or --format verbose_json")
  }
  return json ? "all" : (format ?? "text")
}

interface Recording extends AsyncDisposable {
  readonly path: string
}

/** @throws FileFailed, UsageError */
async function recordingAt(file: string): Promise<Recording> {
  return { path: await existingFile(file), [Symbol.asyncDispose]: async () => {} }
}

/** Saves piped input to a file, because decoders may seek. Deleted at the end. */
async function pipedFile(io: Io): Promise<Recording> {
  if (io.stdinIsTerminal) throw new UsageError("no input: name a file, or pipe one in")
  const folder = await mkdtemp(join(tmpdir(), "xllm-transcribe-")).catch((error: unknown) => {
    throw new FileFailed("write to", tmpdir(), error)
  })
  const path = join(folder, "audio")
  const remove = () => rm(folder, { recursive: true, force: true })
  try {
    const file = Bun.file(path).writer()
    for await (const bytes of io.inputBytes()) {
      file.write(bytes)
      await file.flush()
    }
    await file.end()
  } catch (error) {
    await remove()
    throw error instanceof XllmError ? error : new FileFailed("write to", tmpdir(), error)
  }
  return { path, [Symbol.asyncDispose]: remove }
}

export async function printTranscript(
  { backend, model, signal }: ModelWork,
  audioPath: string,
  format: Format,
  flags: TranscribeFlags,
  io: Io,
): Promise<void> {
  const { language } = flags
  const request: TranscriptionRequest = {
    kind: "transcription",
    model,
    audioPath,
    task: flags.translate ? "translate" : "transcribe",
    wordTimes: flags.words === true,
    ...(language !== undefined && { language }),
  }
  const builder = new TranscriptBuilder()
  const spinner = startSpinner(io)
  const printsText = format === "text"
  try {
    for await (const event of backend.transcribe(request, signal)) {
      if (event.type === "loading") spinner.say(loadingText(event.fraction))
      else if (event.type === "queued") spinner.say(queuedText(event.position))
      else if (event.type === "audio") spinner.say("listening")
      const added = event.type === "audio" ? "" : builder.add(event)
      if (!printsText || added === "") continue
      spinner.stop()
      io.write(io.stdoutIsTerminal ? terminalSafe(added) : added)
    }
  } finally {
    spinner.stop()
  }
  const rendered = printsText ? "\n" : render(builder, format, request)
  io.write(io.stdoutIsTerminal ? terminalSafe(rendered) : rendered)
  for (const warning of builder.build().warnings) io.writeError(`warning: ${terminalSafe(warning)}\n`)
}

/** All formats but text, which is printed as it arrives. */
function render(
  builder: TranscriptBuilder,
  format: Exclude<Format, "text">,
  { model, task, wordTimes }: TranscriptionRequest,
): string {
  const { timings, ...transcript } = builder.build()
  const verbose = () => toVerboseJson(transcript, task, { segments: true, words: wordTimes })
  switch (format) {
    case "json":
      return toJson({ text: transcript.text })
    case "verbose_json":
      return toJson(verbose())
    case "srt":
      return toSrt(transcript)
    case "vtt":
      return toVtt(transcript)
    case "all": {
      const { queueMs: queue_ms, loadMs: load_ms, workMs: work_ms } = timings
      return toJson({ model, ...verbose(), timings: { queue_ms, load_ms, work_ms } })
    }
    default:
      return format satisfies never
  }
}
