import { expect, test } from "bun:test"
import { parseOptions } from "../../bench/options"

// Any file serves as a model here; only that it exists is looked at.
const model = import.meta.path
const defaults = { root: import.meta.dir, cores: 3, seed: 99 }
const parse = (...argv: string[]) => parseOptions(argv, defaults)

test("a model alone measures the sources, three times, with every load", async () => {
  expect(await parse("--model", model)).toMatchObject({
    model,
    ours: { command: [process.execPath, `${import.meta.dir}/src/index.ts`] },
    peer: undefined,
    threads: 3,
    repeat: 3,
    loads: [],
    seed: 99,
  })
})

test("a peer's URL may end in /v1 or a slash", async () => {
  expect((await parse("--model", model, "--peer", "http://h:1/v1/"))?.peer).toEqual({ url: "http://h:1" })
  const named = await parse("--model", model, "--peer", "http://h:1/api", "--peer-model", "m")
  expect(named?.peer).toEqual({ url: "http://h:1/api", model: "m" })
})

test("arguments for the servers are split at spaces", async () => {
  const options = await parse("--model", model, "--ours-args", " --slots  8", "--binary", model)
  expect(options?.oursArguments).toEqual(["--slots", "8"])
  expect(options?.ours).toEqual({ command: [model], binary: model })
})

test("help needs nothing else", async () => {
  expect(await parse("--help")).toBeUndefined()
})

test.each([
  [[], "--model"],
  [["--model", "/nowhere.gguf"], "--model: no file /nowhere.gguf"],
  [["--model", model, "--repeat", "0"], "--repeat must be a whole number from 1 up, got 0"],
  [["--model", model, "--peer", "localhost:1"], "--peer must be a URL"],
  [["--model", model, "--peer", "http://h", "--llama-server", model], "give one"],
  [["--model", model, "--colour"], "--colour"],
])("%j is refused with the flag's name", async (argv, message) => {
  await expect(parse(...argv)).rejects.toThrow(message)
})
