import { afterAll, expect, test } from "bun:test"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { readModelFolder } from "../../../src/formats/model-folder"
import { recognizeSpeech } from "../../../src/formats/speech/recognize"
import { locateSpeech } from "../../../src/native/speech-files"
import { deriveAsrFiles } from "../../../src/worker/asr/derived-files"
import { Transcriber } from "../../../src/worker/asr/transcriber"
import { openSherpa } from "../../../src/worker/sherpa"
import { speechProvider } from "../../../src/worker/speech-provider"
import { toneSamples } from "../../support/files/recordings"
import { writeTinyHuggingFaceWhisper, writeTinyWhisper } from "../../support/files/tiny-whisper"
import { tempFolder } from "../../support/temp-folder"

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())
const sherpa = openSherpa(await locateSpeech(join(folder.path, "runtime")))

// Which of the two a worker takes depends on the processor.
test.each([
  ["faster-whisper", "bytes", writeTinyWhisper],
  ["faster-whisper", "floats", writeTinyWhisper],
  ["Hugging Face", "bytes", writeTinyHuggingFaceWhisper],
  ["Hugging Face", "floats", writeTinyHuggingFaceWhisper],
] as const)("a Whisper of %s computes in %s", async (origin, numbers, write) => {
  const path = join(folder.path, origin, numbers)
  write(path)
  const model = await recognizeSpeech(await readModelFolder(path))
  if (model?.kind !== "asr") throw new Error("it was not recognised")
  const derived = join(folder.path, "derived", origin, numbers)
  const files = await deriveAsrFiles(model.plan, derived, numbers === "bytes")
  expect(existsSync(join(derived, "int8.bin"))).toBe(numbers === "bytes")
  const provider = await speechProvider(join(folder.path, "runtime"))
  const transcriber = await Transcriber.load(sherpa, model.plan, files, { threads: 1, provider })
  const said = await transcriber.transcribe(toneSamples("a sound"), {
    task: "transcribe",
    language: undefined,
  })
  expect(said.text).toMatch(/^hello( hello)+$/)
  expect(said.timestamps).toHaveLength(said.tokens.length)
})
