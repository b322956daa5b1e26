import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { command as create } from "../../../src/cli/commands/create"
import { command as show } from "../../../src/cli/commands/show"
import { InvalidModelfile } from "../../../src/errors/model"
import { fakeIo } from "../../support/fakes/fake-io"
import { FakeRegistry } from "../../support/fakes/fake-registry"
import { tinyModelBytes } from "../../support/fakes/pull-scene"
import { ModelsFolder } from "../../support/files/models-folder"
import { writeTinyModel } from "../../support/files/tiny-model"

const models = new ModelsFolder()
const folder = join(models.home, "work")
const modelfile = join(folder, "Modelfile")

beforeAll(async () => {
  mkdirSync(folder)
  await writeTinyModel(join(folder, "model.gguf"), { layers: 1 })
  writeFileSync(modelfile, "FROM ./model.gguf\nSYSTEM Be brief.\nPARAMETER num_keep 4\n")
})
afterAll(() => models[Symbol.dispose]())

function io(input?: string, isTerminal = false) {
  const environment = { XLLM_MODELS_DIR: models.path, XLLM_HOME: models.home }
  return fakeIo({ environment, isTerminal, ...(input !== undefined && { input }) })
}

test("a Modelfile's paths begin at its folder, and its lines go to stderr", async () => {
  const streams = io()
  await create.execute(["mario", "-f", modelfile], streams)
  expect(streams.out).toBe("")
  expect(streams.err).toMatch(
    /^gathering model components\nwarning: .*Modelfile:3: the parameter 'num_keep' has no effect.*\ncreating new layer sha256:[0-9a-f]{64}\nwriting manifest\nsuccess\n$/,
  )
  expect(await models.store.manifest("mario")).toMatchObject({ system: "Be brief." })
})

test("standard input can bring it", async () => {
  await create.execute(["luigi", "--file", "-"], io("FROM mario\nSYSTEM Be green."))
  expect(await models.store.manifest("luigi:latest")).toMatchObject({
    system: "Be green.",
    base: "mario:latest",
  })
})

test("--json prints an object for each line", async () => {
  const streams = io()
  await create.execute(["mario:v2", "-f", modelfile, "--json"], streams)
  const events = streams.out
    .trim()
    .split("\n")
    .map((line): unknown => JSON.parse(line))
  expect(events).toContainEqual({ status: "gathering model components" })
  expect(events).toContainEqual({ warning: expect.stringContaining("num_keep") })
  expect(events.at(-1)).toEqual({ status: "success" })
  expect(streams.err).toBe("")
})

test("a base that is not there is pulled", async () => {
  await using registry = await FakeRegistry.start()
  registry.publish("library/far:latest", { model: tinyModelBytes({ layers: 1 }), system: "From afar." })
  const streams = io("FROM far\nPARAMETER seed 4")
  const registryFlag = ["--ollama-registry", registry.url]
  await create.execute(["near", "-f", "-", ...registryFlag], streams)
  expect(streams.err).toMatch(/^gathering model components\npulling manifest\n[^]*\nsuccess\n$/)
  expect(await models.store.manifest("near")).toMatchObject({ base: "far:latest", system: "From afar." })
})

describe("show --modelfile", () => {
  test("prints a Modelfile that makes the same model again", async () => {
    const streams = io()
    await show.execute(["mario", "--modelfile"], streams)
    expect(streams.out).toMatch(
      /^# To build .*\n# FROM mario:latest\n\nFROM \/.*\nSYSTEM "Be brief."\nPARAMETER num_keep 4\n$/,
    )
    await create.execute(["twin", "-f", "-"], io(streams.out))
    expect((await models.store.resolve("twin")).id).toBe((await models.store.resolve("mario")).id)
  })

  test("prints a FROM for a file alone", async () => {
    const path = join(folder, "model.gguf")
    const streams = io()
    await show.execute([path, "--modelfile"], streams)
    // Without the name that only this command knows it by.
    expect(streams.out).toBe(`FROM ${path}\n`)
  })
})

describe("is refused:", () => {
  test("a Modelfile that is not there", async () => {
    const path = join(folder, "Nofile")
    await expect(create.execute(["x", "-f", path], io())).rejects.toThrow(
      `cannot read ${path}: no such file or folder`,
    )
    await expect(create.execute(["x"], io())).rejects.toThrow(
      "cannot read Modelfile: no such file or folder; name another Modelfile with -f",
    )
  })

  test("a folder in its place", async () => {
    await expect(create.execute(["x", "-f", folder], io())).rejects.toThrow("it is a folder, not a file")
  })

  test("a model in its place", async () => {
    const path = join(folder, "model.gguf")
    await expect(create.execute(["x", "-f", path], io())).rejects.toThrow("it is a model, not a Modelfile")
  })

  test("a Modelfile with faults, each with its file and line", async () => {
    await expect(create.execute(["x", "-f", "-"], io("FROM a\nPARAMETER tempo 1\nSYTEM b"))).rejects.toThrow(
      /^standard input:2: unknown parameter 'tempo'[^]*\nstandard input:3: command must be one of/,
    )
    await expect(create.execute(["x", "-f", "-"], io("SYSTEM b"))).rejects.toThrow(InvalidModelfile)
  })

  test("a name that is none", async () => {
    await expect(create.execute(["../x", "-f", modelfile], io())).rejects.toThrow("it is a path")
  })

  test("--quantize with a type that there is not", async () => {
    await expect(create.execute(["x", "-q", "q4_9", "-f", modelfile], io())).rejects.toThrow(
      "there is no type 'q4_9'",
    )
  })
})
