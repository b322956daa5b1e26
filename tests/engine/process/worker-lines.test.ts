import { expect, test } from "bun:test"
import {
  errorsOfLines,
  LastLines,
  textsOfLines,
  type WorkerLine,
  WorkerLineReader,
} from "../../../src/engine/process/worker-lines"

function readAll(...chunks: readonly string[]): WorkerLine[] {
  const reader = new WorkerLineReader()
  return [...chunks.flatMap((chunk) => reader.push(chunk)), ...reader.end()]
}

function lastOf(text: string): readonly string[] {
  const last = new LastLines()
  for (const line of readAll(text)) last.add(line)
  return textsOfLines(last.lines)
}

test("frames are log lines with a level or load progress, everything else is plain", () => {
  expect(readAll("\x1eL3 low memory\n\x1eP0.25\nAborted\n\x1eL1 tensor 1\n")).toEqual([
    { type: "log", level: "warn", text: "low memory" },
    { type: "progress", fraction: 0.25 },
    { type: "plain", text: "Aborted" },
    { type: "log", level: "debug", text: "tensor 1" },
  ])
})

test("a line is whole whatever the pieces it comes in, and the last one needs no line end", () => {
  expect(readAll("\x1eL", "4 out of", " memory\r\n", "fat", "al")).toEqual([
    { type: "log", level: "error", text: "out of memory" },
    { type: "plain", text: "fatal" },
  ])
})

test("a continuation has the level of what it continues", () => {
  expect(readAll("\x1eL4 broken\n\x1eL5  and more\n")).toEqual([
    { type: "log", level: "error", text: "broken" },
    { type: "log", level: "error", text: " and more" },
  ])
})

test("empty lines and unreadable progress are nothing", () => {
  expect(readAll("\n\n\x1eL2 \n\x1ePx\n")).toEqual([])
})

test("progress stays between 0 and 1", () => {
  expect(readAll("\x1eP1.5\n\x1eP-1\n")).toEqual([
    { type: "progress", fraction: 1 },
    { type: "progress", fraction: 0 },
  ])
})

test("output without line ends is cut instead of kept for ever", () => {
  const reader = new WorkerLineReader()
  const lines = reader.push("x".repeat(10_000))
  expect(lines).toEqual([{ type: "plain", text: "x".repeat(4096) }])
  expect(reader.end()).toEqual([])
})

test("the last lines leave out debug lines, progress and the call stack that follows an abort", () => {
  const stack = Array.from({ length: 20 }, (_, depth) => `libggml.so(ggml_abort+0x${depth})[0x7f0${depth}]`)
  expect(
    lastOf(["\x1eL2 loading", "\x1eL1 noise", "\x1eP0.5", "GGML_ASSERT(x) failed", ...stack].join("\n")),
  ).toEqual(["loading", "GGML_ASSERT(x) failed"])
})

test("of many lines the newest eight are kept", () => {
  const lines = Array.from({ length: 30 }, (_, index) => `line ${index}`)
  expect(lastOf(lines.join("\n"))).toEqual(lines.slice(-8))
})

test("errors are not pushed out by what the runtime says of the crash", () => {
  const banner = Array.from({ length: 30 }, (_, index) => `line ${index}`)
  expect(lastOf(["\x1eL4 CUDA error: no kernel image", ...banner].join("\n"))).toEqual([
    "CUDA error: no kernel image",
    ...banner.slice(-7),
  ])
})

test("what was written before the load begins, as of backends that are not there, is not what it fails for", () => {
  const probing = "\x1eL4 load_backend: failed to initialize backend from libggml-vulkan.so"
  expect(lastOf([probing, "\x1eB", "\x1eL4 missing tensor"].join("\n"))).toEqual(["missing tensor"])
})

test("a refused job is explained by its errors, or by all lines where there are none", () => {
  const info: WorkerLine = { type: "log", level: "info", text: "kv 18: merges" }
  const error: WorkerLine = { type: "log", level: "error", text: "failed to quantize" }
  expect(errorsOfLines([info, error])).toEqual(["failed to quantize"])
  expect(errorsOfLines([info])).toEqual(["kv 18: merges"])
})
