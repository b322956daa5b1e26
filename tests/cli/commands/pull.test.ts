import { describe, expect, test } from "bun:test"
import { tempFolder } from "../../support/temp-folder"
import { runXllm } from "../../support/xllm"

/** Nobody is asked: both sources are where nobody listens. */
async function xllm(...argv: string[]) {
  using home = tempFolder()
  const environment = {
    XLLM_HOME: home.path,
    XLLM_PORT: "1",
    HF_ENDPOINT: "http://127.0.0.1:1",
    XLLM_OLLAMA_REGISTRY: "http://127.0.0.1:1",
  }
  return await runXllm(argv, { environment })
}

const SPACES = "model names cannot contain spaces; letters, digits and _ . + - can be used"

describe("what cannot be pulled is refused before anybody is asked", () => {
  test.each([
    [["bad name"], `invalid model name 'bad name': ${SPACES}`],
    [["good", "bad name"], `invalid model name 'bad name': ${SPACES}`],
    [["https://example.com/page"], "'https://example.com/page' is not the URL of a GGUF file"],
    [
      ["https://example.com/%ZZ.gguf"],
      "'https://example.com/%ZZ.gguf' is not a valid URL: '%ZZ.gguf' has a % without two hexadecimal digits, " +
        "or bytes that are not UTF-8",
    ],
    [
      ["https://huggingface.co/a/b%ZZ"],
      "'https://huggingface.co/a/b%ZZ' is not a valid URL: 'b%ZZ' has a % without two hexadecimal digits, " +
        "or bytes that are not UTF-8",
    ],
    [
      ["http://example.com/m.gguf"],
      "'http://example.com/m.gguf' is fetched over plain HTTP only with --insecure",
    ],
  ])("%p", async (names, message) => {
    expect(await xllm("pull", ...names)).toEqual({ out: "", err: `Error: ${message}\n`, code: 1 })
  })

  test("by run, as a model that is not there", async () => {
    expect(await xllm("run", "bad name", "hi")).toEqual({
      out: "",
      err:
        "no server answers at http://127.0.0.1:1; running the model without one\n" +
        `Error: model 'bad name' not found: ${SPACES}\n`,
      code: 1,
    })
  })

  test("as JSON where that is wanted", async () => {
    const { out, code } = await xllm("pull", "bad name", "--json")
    expect(JSON.parse(out)).toEqual({
      error: `invalid model name 'bad name': ${SPACES}`,
      code: "invalid_model_name",
    })
    expect(code).toBe(1)
  })
})

test("a source that cannot be reached is named, with the reason", async () => {
  const { err, code } = await xllm("pull", "m")
  expect(err).toBe(
    "pulling manifest\nError: m:latest cannot be downloaded: 127.0.0.1:1: nothing listens there, 3 times in a row\n",
  )
  expect(code).toBe(1)
})
