import { expect, test } from "bun:test"
import { isGenerationKind, isModelKind, KINDS, kindUsedBy, taskOf } from "../../src/domain/tasks"
import { WrongModelKind } from "../../src/errors/model"
import { timeoutsOf } from "../../src/engine/process/timeouts"

test("a request goes to models of one kind", () => {
  const kinds = (["chat", "completion", "speech", "transcription", "image"] as const).map((kind) => [
    kind,
    taskOf({ kind }).model,
    isGenerationKind(kind),
  ])
  expect(kinds).toEqual([
    ["chat", "text", true],
    ["completion", "text", true],
    ["speech", "tts", false],
    ["transcription", "asr", false],
    ["image", "image", false],
  ])
})

test("a model of the wrong kind is told with the routes that use it", () => {
  expect(
    Object.keys(KINDS)
      .filter(isModelKind)
      .map((kind) => new WrongModelKind("m", kind).message),
  ).toEqual([
    "'m' is a text model; use POST /v1/chat/completions or POST /v1/completions",
    "'m' is an embedding model; use POST /v1/embeddings or POST /v1/rerank",
    "'m' is a text-to-speech model; use POST /v1/audio/speech",
    "'m' is a speech-to-text model; use POST /v1/audio/transcriptions",
    "'m' is an image model; use POST /v1/images/generations",
  ])
})

test("a command uses models of one kind, or of all", () => {
  expect(["run", "speak", "transcribe", "image", "show", "MODEL"].map(kindUsedBy)).toEqual([
    "text",
    "tts",
    "asr",
    "image",
    undefined,
    undefined,
  ])
})

test("workers of other kinds than text may be silent for longer", () => {
  expect(timeoutsOf("asr")).toMatchObject({ loadSilenceMs: 180_000, stepMs: 120_000, mostStepMs: 300_000 })
  expect(timeoutsOf("text")).toMatchObject({ loadSilenceMs: 60_000, stepMs: 30_000, mostStepMs: 120_000 })
})
