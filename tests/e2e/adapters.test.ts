import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { writeTinyAdapter } from "../support/files/tiny-adapter"
import { writeTinyModel } from "../support/files/tiny-model"
import { writePeftFolder } from "../support/hf/peft-folder"
import { Installation } from "../support/installation"

setDefaultTimeout(120_000)

let xllm: Installation
let file: string

beforeAll(async () => {
  xllm = await Installation.create()
  writeTinyModel(join(xllm.models, "base.gguf"))
  file = writeTinyAdapter(join(xllm.models, "../given.gguf"), { rank: 8, seed: 1 })
  const loras = join(xllm.models, "../loras")
  mkdirSync(loras, { recursive: true })
  writeTinyAdapter(join(loras, "style.gguf"), { rank: 32, seed: 2 })
})
afterAll(() => xllm[Symbol.dispose]())

test("the executable applies adapters that are given as files, and by name with the model", async () => {
  const answer = async (...words: readonly string[]) => {
    const { out, err, code } = await xllm.run([
      "run",
      ...words,
      "The cat",
      "--max-tokens",
      "8",
      "--temperature",
      "0",
    ])
    expect({ err, code }).toEqual({ err: "", code: 0 })
    return out
  }
  const plain = await answer("base")
  const given = await answer("base", "--lora", file)
  const style = await answer("base@style")
  expect(new Set([plain, given, style]).size).toBe(3)
  expect(await answer("base", "--lora-scaled", file, "0")).toBe(plain)
  const folder = writePeftFolder(join(xllm.models, "../peft"))
  expect([plain, given, style]).not.toContain(await answer("base", "--lora", folder))

  await using server = await xllm.serve(["--lora", file])
  const host = ["--host", server.url]
  expect(await answer("base", ...host)).toBe(given)
  const client = server.client("none")
  expect((await client.models.list()).data.map(({ id }) => id)).toEqual(["base", "base@given", "base@style"])
  const lora = async (path: string, init: RequestInit = {}) => (await fetch(server.url + path, init)).json()
  const off = { method: "POST", body: JSON.stringify([{ id: 0, scale: 0 }]) }
  expect((await lora("/lora-adapters", off)) as unknown).toEqual({ success: true })
  expect(await answer("base", ...host)).toBe(plain)
  expect(await answer("base@style", ...host)).toBe(style)
})

test("list, show and rm know the adapters in the folder", async () => {
  const listed = await xllm.run(["list"])
  expect(listed.out).toMatch(/style +llama +32 /)
  expect((await xllm.run(["show", "style"])).out).toContain("rank       32\n")
  expect((await xllm.run(["rm", "style"])).out).toContain("deleted the adapter ")
  expect((await xllm.run(["list"])).out).not.toContain("style")
})

test("an adapter with a name before its file is refused with what to do", async () => {
  const { err, code } = await xllm.run(["run", "base", "hi", "--lora", `mine=${file}`])
  expect(code).not.toBe(0)
  expect(err).toContain("leave out 'mine=' and name the file mine.gguf")
})
