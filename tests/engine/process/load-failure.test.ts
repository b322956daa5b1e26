import { describe, expect, test } from "bun:test"
import { explainLoadFailure } from "../../../src/engine/process/load-failure"
import type { WorkerLine } from "../../../src/engine/process/worker-lines"
import { ModelLoadFailed } from "../../../src/errors/model"
import { Unsupported } from "../../../src/errors/request"

const MODEL = { name: "m", kind: "text", path: "/home/ann/my models/m.gguf" } as const
const REFUSED = new ModelLoadFailed("m", "llama.cpp refused the file", undefined, { outOfMemory: true })
const NO_ROOM = new ModelLoadFailed("m", "there is no room for a context of 4096 cells", undefined, {
  outOfMemory: true,
})

function errors(...texts: readonly string[]): readonly WorkerLine[] {
  return texts.map((text) => ({ type: "log", level: "error", text }))
}

describe("a load that llama.cpp gave up is told by what llama.cpp said", () => {
  test.each([
    [
      errors(
        "llama_model_load: error loading model: missing tensor 'output_norm.weight'",
        "llama_model_load_from_file_impl: failed to load model",
      ),
      "missing tensor 'output_norm.weight'",
    ],
    [
      errors(
        "init_tokenizer: odd",
        "llama_model_load: error loading model: unknown model architecture: 'foo'",
      ),
      "unknown model architecture: 'foo'",
    ],
    [
      errors(
        "gguf_init_from_file: failed to open GGUF file '/home/ann/my models/m.gguf' (Permission denied)",
        "llama_model_load: error loading model: llama_model_loader: failed to load model from /home/ann/my models/m.gguf",
      ),
      "failed to open GGUF file 'm.gguf' (Permission denied)",
    ],
    [
      errors("llama_init_from_model: quantized V cache requires flash_attn to be enabled"),
      "quantized V cache requires flash_attn to be enabled",
    ],
  ])("%#", (lines, cause) => {
    const told = explainLoadFailure(NO_ROOM, MODEL, lines)
    expect(told.message).toBe(`model 'm' could not be loaded: ${cause}`)
    expect(told.publicMessage).toBe(told.message)
    // Nothing smaller is tried.
    expect(told.details).toBeUndefined()
  })
})

test("a part that llama.cpp refused is named", () => {
  const part = "its draft model 'small.gguf'"
  const refused = new ModelLoadFailed("m", `${part} was refused`, undefined, { outOfMemory: false, part })
  const told = explainLoadFailure(
    refused,
    MODEL,
    errors("llama_model_load: error loading model: invalid magic"),
  )
  expect(told.message).toBe(`model 'm' could not be loaded: ${part} was refused: invalid magic`)
})

test("want of memory keeps the worker's advice, and what was said goes to the log alone", () => {
  const line = "ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 99 for /x/y"
  const told = explainLoadFailure(NO_ROOM, MODEL, errors(line))
  expect(told.details).toEqual({ outOfMemory: true })
  expect(told.publicMessage).toBe(
    "model 'm' could not be loaded: there is no room for a context of 4096 cells",
  )
  expect(told.message).toBe(`${told.publicMessage}; last output: ${line}`)
})

test("a load that nothing was written of keeps the worker's words", () => {
  expect(explainLoadFailure(REFUSED, MODEL, [])).toBe(REFUSED)
})

test("warnings are no cause", () => {
  const lines: WorkerLine[] = [{ type: "log", level: "warn", text: "special tokens look odd" }]
  expect(explainLoadFailure(REFUSED, MODEL, lines).publicMessage).toBe(REFUSED.message)
})

test("what is no failure of loading keeps its meaning", () => {
  const unsupported = new Unsupported(
    "split mode 'row' is not supported by Vulkan; use 'layer'",
    "split_mode",
  )
  const told = explainLoadFailure(unsupported, MODEL, errors("some complaint"))
  expect(told).toMatchObject({ code: "unsupported", status: 400, publicMessage: unsupported.message })
})

test("the engines of speech and images say themselves why; what they print is for the log", () => {
  const error = new ModelLoadFailed("joe", "the graph cannot be read")
  const lines: WorkerLine[] = [{ type: "plain", text: "Ort::Exception: /home/ann/joe.onnx failed" }]
  const told = explainLoadFailure(error, { name: "joe", kind: "tts", path: "/home/ann/joe" }, lines)
  expect(told.publicMessage).toBe("model 'joe' could not be loaded: the graph cannot be read")
  expect(told.message).toContain("Ort::Exception: /home/ann/joe.onnx failed")
})
