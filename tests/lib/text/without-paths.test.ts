import { expect, test } from "bun:test"
import { withoutPaths } from "../../../src/lib/text/without-paths"

test.each([
  ["/home/ann/.xllm/models/x.gguf: it is cut short", "x.gguf: it is cut short"],
  ["cannot open '/home/ann/my models/x.gguf' (denied)", "cannot open 'x.gguf' (denied)"],
  ["there is no room left in /home/ann/.xllm; make room", "there is no room left in .xllm; make room"],
  ["ggml.c:7 (/build/ggml/src/ggml.c)", "ggml.c:7 (ggml.c)"],
  ["/a/b/ | /c/d", "b | d"],
])("only the last part of a path is left: %s", (text, expected) => {
  expect(withoutPaths(text)).toBe(expected)
})

test.each([
  "model 'hf.co/Qwen/Qwen3-0.6B-GGUF:Q4_K_M' and/or ./x/y.gguf",
  "could not connect to http://127.0.0.1:32769/v1; see ~/.xllm/models and models/a",
  "1/2 of 3 GiB, at 5 tokens/s",
])("what is no absolute path stays: %s", (text) => {
  expect(withoutPaths(text)).toBe(text)
})
