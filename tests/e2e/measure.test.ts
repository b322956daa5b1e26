import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import { Compile } from "typebox/compile"
import { BenchReport } from "../../src/measure/report"
import { writeTinyModel } from "../support/files/tiny-model"
import { Installation, type InstalledServer } from "../support/installation"

setDefaultTimeout(120_000)

const check = Compile(BenchReport)
let xllm: Installation
let server: InstalledServer

beforeAll(async () => {
  xllm = await Installation.create()
  writeTinyModel(join(xllm.models, "writer.gguf"))
  server = await xllm.serve([])
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  xllm[Symbol.dispose]()
})

async function report(argv: readonly string[]): Promise<BenchReport> {
  const { out, err } = await xllm.run([...argv, "--format", "json"])
  expect(err).toBe("")
  const given: unknown = JSON.parse(out)
  expect(check.Check(given)).toBe(true)
  return given as BenchReport
}

test("the executable measures a model alone, as served, and through a server", async () => {
  const small = ["-p", "8", "-n", "4", "-r", "1"]
  const alone = await report(["benchmark", "writer", ...small, "-t", "1"])
  expect(alone.tests.map(({ name, via }) => `${name} ${via}`)).toEqual([
    "pp8 worker",
    "tg4 worker",
    "pp8+tg4 c1 engine",
  ])
  const served = await report(["benchmark", "writer", ...small, "--via", "http", "--host", server.url])
  expect(served.tests).toMatchObject([{ name: "pp8+tg4 c1", via: "http", generated: 4 }])
  expect(served.tests[0]?.notes).toBeUndefined()
})

test("the executable scores two models side by side", async () => {
  const given = await report(["compare", "writer", join(xllm.models, "writer.gguf"), "--no-speed", "-t", "1"])
  expect(given.quality?.[1]?.divergence).toMatchObject({ mean: 0, same_top: 1 })
})
