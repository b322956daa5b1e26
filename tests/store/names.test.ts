import { describe, expect, test } from "bun:test"
import { InvalidModelName } from "../../src/errors/model"
import { formatModelName, nameOfParts, parseModelName } from "../../src/store/names"

const OLLAMA = "registry.ollama.ai"
const long = (length: number) => "a".repeat(length)

/** What is written, the four parts that it means, and how it is shown where that is something else. */
const GOOD: readonly (readonly [text: string, parts: readonly string[], shown?: string])[] = [
  ["llama3", [OLLAMA, "library", "llama3", "latest"], "llama3:latest"],
  ["llama3:8b", [OLLAMA, "library", "llama3", "8b"]],
  ["llama3.2:1b-instruct-q4_K_M", [OLLAMA, "library", "llama3.2", "1b-instruct-q4_K_M"]],
  ["library/llama3", ["hf.co", "library", "llama3", "latest"], "library/llama3:latest"],
  ["_x:_y", [OLLAMA, "library", "_x", "_y"]],
  ["0:0", [OLLAMA, "library", "0", "0"]],
  ["model.gguf", [OLLAMA, "library", "model.gguf", "latest"], "model.gguf:latest"],
  ["hf", [OLLAMA, "library", "hf", "latest"], "ollama:hf:latest"],
  ["Qwen/Qwen3-0.6B-GGUF", ["hf.co", "Qwen", "Qwen3-0.6B-GGUF", "latest"], "Qwen/Qwen3-0.6B-GGUF:latest"],
  ["Qwen/Qwen3-0.6B-GGUF:Q4_K_M", ["hf.co", "Qwen", "Qwen3-0.6B-GGUF", "Q4_K_M"]],
  [
    "hf:Qwen/Qwen3-0.6B-GGUF:Q4_K_M",
    ["hf.co", "Qwen", "Qwen3-0.6B-GGUF", "Q4_K_M"],
    "Qwen/Qwen3-0.6B-GGUF:Q4_K_M",
  ],
  ["HF:a/b:c", ["hf.co", "a", "b", "c"], "a/b:c"],
  ["hf.co/a/b", ["hf.co", "a", "b", "latest"], "a/b:latest"],
  ["HuggingFace.co/a/b:c", ["hf.co", "a", "b", "c"], "a/b:c"],
  ["www.huggingface.co/a/b:c", ["hf.co", "a", "b", "c"], "a/b:c"],
  ["e.n-v_y/my.model.v1.2:Q8_0", ["hf.co", "e.n-v_y", "my.model.v1.2", "Q8_0"]],
  [
    "hf:rhasspy/piper-voices:en_US-joe-medium",
    ["hf.co", "rhasspy", "piper-voices", "en_US-joe-medium"],
    "rhasspy/piper-voices:en_US-joe-medium",
  ],
  ["a/b:model-00001-of-00002.gguf", ["hf.co", "a", "b", "model-00001-of-00002.gguf"]],
  ["a/c++:x+y.gguf", ["hf.co", "a", "c++", "x+y.gguf"]],
  [`a/${long(96)}:${long(200)}`, ["hf.co", "a", long(96), long(200)]],
  ["ollama:llama3:8b", [OLLAMA, "library", "llama3", "8b"], "llama3:8b"],
  ["ollama:someone/model:q4", [OLLAMA, "someone", "model", "q4"]],
  ["Ollama:someone/model", [OLLAMA, "someone", "model", "latest"], "ollama:someone/model:latest"],
  ["registry.ollama.ai/library/llama3", [OLLAMA, "library", "llama3", "latest"], "llama3:latest"],
  ["registry.ollama.ai/llama3", [OLLAMA, "library", "llama3", "latest"], "llama3:latest"],
  ["ollama.com/someone/model:q4", [OLLAMA, "someone", "model", "q4"], "ollama:someone/model:q4"],
  [
    "registry.example.com/team/model:v2",
    ["registry.example.com", "team", "model", "v2"],
    "registry.example.com/team/model:v2",
  ],
  [
    "Registry.Example.com/team/Model",
    ["registry.example.com", "team", "Model", "latest"],
    "registry.example.com/team/Model:latest",
  ],
  [
    "localhost:5000/team/model",
    ["localhost:5000", "team", "model", "latest"],
    "localhost:5000/team/model:latest",
  ],
  [
    "localhost:5000/model",
    ["localhost:5000", "library", "model", "latest"],
    "localhost:5000/library/model:latest",
  ],
  ["localhost/model:x", ["localhost", "library", "model", "x"], "localhost/library/model:x"],
  ["127.0.0.1:5000/a/b:c", ["127.0.0.1:5000", "a", "b", "c"]],
  ["[::1]:5000/a/b:c", ["[::1]:5000", "a", "b", "c"]],
  ["hf:localhost/b:c", ["hf.co", "localhost", "b", "c"]],
]

/** What is written, and words of the reason why it is none. */
const BAD: readonly (readonly [text: string, reason: string])[] = [
  ["", "it is empty"],
  [":", "its model is empty"],
  [":tag", "its model is empty"],
  ["model:", "its tag is empty"],
  ["/", "it is a path"],
  ["a//b", "its namespace is empty"],
  ["a/", "its model is empty"],
  ["host.example/a/", "its model is empty"],
  ["hf:", "namespace/model"],
  ["hf:model", "namespace/model"],
  ["hf.co/model", "namespace/model"],
  ["hf:a/b/c", "after 'hf:'"],
  ["a/b/c/d", "4 parts"],
  ["hf.co/a/b/file.gguf", "namespace/model:file"],
  ["../x", "it is a path"],
  ["..", "it is a path"],
  [".", "it is a path"],
  ["./x.gguf", "it is a path"],
  ["/etc/passwd", "it is a path"],
  ["~/x", "it is a path"],
  ["~user/x", "it is a path"],
  ["\\\\server\\share", "it is a path"],
  ["C:\\models\\x", "it is a path"],
  ["https://huggingface.co/a/b", "it is a URL"],
  ["http://127.0.0.1/x", "it is a URL"],
  ["file:///etc/passwd", "it is a URL"],
  ["a/..", "two dots in a row"],
  ["a/../b", "two dots in a row"],
  ["host.example/../b", "two dots in a row"],
  ["a/b:..", "two dots in a row"],
  ["a/b..c", "two dots in a row"],
  ["a..b.example/c/d", "is not a host"],
  [".hidden", "must begin with a letter or a digit"],
  ["a/.git", "must begin with a letter or a digit"],
  ["a/b:.json", "must begin with a letter or a digit"],
  ["-x", "must begin with a letter or a digit"],
  ["a b", "model names cannot contain spaces; letters"],
  ["a/b:c d", "model names cannot contain spaces; letters"],
  ["a/b@sha256:0123", "model names cannot contain '@';"],
  ["a\\b", "model names cannot contain '\\';"],
  ["a%2fb", "model names cannot contain '%';"],
  ["mödel", "model names cannot contain 'ö';"],
  ["a/b:c:d", "model names cannot contain ':';"],
  ["a\0b", "control characters"],
  ["a\nb", "control characters"],
  ["a\u001b[2J", "control characters"],
  ["hf:a/b\r", "control characters"],
  [long(81), "its model has 81 characters, more than the 80"],
  [`a/${long(97)}`, "its model has 97 characters, more than the 96"],
  [`a/b:${long(201)}`, "its tag has 201 characters"],
  [`m:${long(81)}`, "its tag has 81 characters"],
  [long(5000), "it has 5000 characters"],
  ["host:0/a/b", "'0' is not a port"],
  ["host:65536/a/b", "'65536' is not a port"],
  ["host:x/a/b", "'x' is not a port"],
  ["host:/a/b", "'' is not a port"],
  ["ho st/a/b", "is not a host"],
  ["-host/a/b", "is not a host"],
]

describe("a model's name", () => {
  test.each(GOOD)("%#: %p is read and shown", (text, parts, shown = text) => {
    const name = parseModelName(text)
    expect(Object.values(name)).toEqual([...parts])
    expect(formatModelName(name)).toBe(shown)
    expect(parseModelName(shown)).toEqual(name)
  })

  test.each(BAD)("%#: what is none is refused", (text, reason) => {
    const error = failureOf(() => parseModelName(text))
    expect(error.message).toContain(reason)
    expect(error.message).not.toMatch(/[\u0000-\u001f\u007f]/)
    expect(error.message.length).toBeLessThan(700)
    expect(error).toMatchObject({ code: "invalid_model_name", status: 400, param: "model" })
  })

  test("can be made of the parts of a place on disk, where they are possible", () => {
    for (const [text, [host = "", namespace = "", model = "", tag = ""]] of GOOD) {
      expect(nameOfParts(host, namespace, model, tag)).toEqual(parseModelName(text))
    }
    for (const parts of [
      ["hf.co", "..", "b", "c"],
      ["hf.co", "a", "b/c", "d"],
      ["", "a", "b", "c"],
      ["HF.co", "a", "b", "c"],
      ["hf.co", "a", "b", ""],
    ] satisfies [string, string, string, string][]) {
      expect(nameOfParts(...parts)).toBeUndefined()
    }
  })

  test("never has a part that leads out of its folder, whatever is written", () => {
    const pieces = [
      "a",
      "..",
      ".",
      "/",
      ":",
      "hf:",
      "ollama:",
      "hf.co",
      "\\",
      "%2e",
      " ",
      "~",
      "-",
      "[",
      "]",
      "1",
    ]
    let seed = 1
    const random = (below: number) => (seed = (seed * 48271) % 2147483647) % below
    for (let round = 0; round < 20_000; round++) {
      const text = Array.from({ length: random(8) }, () => pieces[random(pieces.length)]).join("")
      const name = parsed(text)
      for (const part of Object.values(name ?? {})) expect(part).toMatch(/^[^/\\\0]+$/)
      for (const part of Object.values(name ?? {})) expect(part).not.toMatch(/^\.|\.\./)
      if (name !== undefined) expect(parseModelName(formatModelName(name))).toEqual(name)
    }
  })
})

function parsed(text: string) {
  try {
    return parseModelName(text)
  } catch (error) {
    if (error instanceof InvalidModelName) return undefined
    throw error
  }
}

function failureOf(work: () => unknown): InvalidModelName {
  try {
    work()
  } catch (error) {
    if (error instanceof InvalidModelName) return error
    throw error
  }
  throw new Error("it was not refused")
}
