import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import { Compile } from "typebox/compile"
import type { Command } from "../../../src/cli/args/command"
import { command as benchmark } from "../../../src/cli/commands/measure/benchmark"
import { command as compare } from "../../../src/cli/commands/measure/compare"
import { command as profile } from "../../../src/cli/commands/measure/profile"
import { BenchReport } from "../../../src/measure/report"
import { fakeIo } from "../../support/fakes/fake-io"
import { writeTinyAsrModel } from "../../support/files/tiny-asr-model"
import { writeTinyImageModel } from "../../support/files/tiny-image-model"
import { writeTinyTtsModel } from "../../support/files/tiny-tts-model"
import { tempFolder } from "../../support/temp-folder"

setDefaultTimeout(120_000)

const check = Compile(BenchReport)
let home: ReturnType<typeof tempFolder>
const place = (name: string) => join(home.path, name)

beforeAll(() => {
  home = tempFolder()
  writeTinyTtsModel(place("voice"))
  writeTinyTtsModel(place("other"))
  writeTinyAsrModel(place("ears"))
  writeTinyImageModel(place("painter.gguf"))
})
afterAll(() => home[Symbol.dispose]())
afterEach(() => {
  process.exitCode = 0
})

async function report(command: Command, argv: readonly string[]): Promise<BenchReport> {
  const io = fakeIo({ environment: { XLLM_HOME: home.path, XLLM_PORT: "9" } })
  await command.execute([...argv, "--format", "json"], io)
  const given: unknown = JSON.parse(io.out)
  expect(check.Check(given)).toBe(true)
  return given as BenchReport
}

test("a voice is measured by its first byte and the length of its audio, a recognizer by a minute of it", async () => {
  const given = await report(benchmark, [place("voice"), place("ears"), "-r", "1", "--concurrency", "1,2"])
  expect(given.failures).toEqual([])
  const rows = given.tests.map(({ name, unit }) => `${name} (${unit})`)
  expect(rows).toContain("speak 60 chars c1 (× length)")
  expect(rows).toContain("speak 900 chars c2 first byte (ms)")
  expect(rows).toContain("transcribe c2 (s/min)")
  expect(rows.length).toBe(3 * 2 * 2 + 2)
  expect(given.tests.every(({ median }) => median > 0)).toBe(true)
  expect(given.memory.map(({ model, load_seconds = 0 }) => [model, load_seconds > 0])).toEqual([
    ["voice", true],
    ["ears", true],
  ])
})

test("an image model that cannot be read is a failure, and the others are measured", async () => {
  const given = await report(benchmark, [
    place("painter.gguf"),
    place("voice"),
    "-r",
    "1",
    "--size",
    "64",
    "--steps",
    "2",
  ])
  expect(given.tests.some(({ model }) => model === "voice")).toBe(true)
  expect(given.failures.map(({ model }) => model)).toEqual([place("painter.gguf")])
})

test("voices are compared by their speed", async () => {
  const given = await report(compare, [place("voice"), place("other"), "--pairs", "5"])
  expect(given.compare?.[0]).toMatchObject({ metric: "speak 60 chars c1 (× length)", base: "voice", n: 5 })
})

test("profile takes them too", async () => {
  const given = await report(profile, [place("ears"), "-r", "1"])
  expect(given.tests.map(({ name }) => name)).toEqual(["transcribe c1", "transcribe c2", "transcribe c4"])
})
