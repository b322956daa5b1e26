import { expect, test } from "bun:test"
import { isPath } from "../../../src/cli/args/model-path"

test.each(["m.gguf", "./m", "../m", "/m", "~/m", "folder/m.GGUF", "./a:b.gguf"])("%s is a path", (text) => {
  expect(isPath(text)).toBeTrue()
})

test.each([
  "m",
  "a/b",
  "llama3:8b",
  "hf:a/b:m.gguf",
  "a/b:m-Q4_K_M.gguf",
  "hf.co/a/b:m.gguf",
  "m.gguf:latest",
])("%s is a name", (text) => {
  expect(isPath(text)).toBeFalse()
})
