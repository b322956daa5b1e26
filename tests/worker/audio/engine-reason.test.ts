import { afterEach, expect, spyOn, test } from "bun:test"
import { engineReason } from "../../../src/worker/audio/engine-reason"

const printed = spyOn(console, "error").mockImplementation(() => {})
afterEach(() => printed.mockClear())

test.each([
  [
    'Load model from /m/joe.onnx failed:This is an invalid model. In Node, ("a", Gothic, "", -1) : ("x": tensor(float),) -> ("y",) , Error No Op registered for Gothic with domain_version of 13',
    "ONNX Runtime refused its graph: No Op registered for Gothic with domain_version of 13",
  ],
  [
    "Load model from /my models/joe.onnx failed:Protobuf parsing failed.",
    "ONNX Runtime refused its graph: Protobuf parsing failed.",
  ],
])("of what ONNX Runtime says the fault is told, and the log has all: %#", (words, reason) => {
  expect(engineReason(new Error(words))).toBe(reason)
  expect(printed.mock.calls).toEqual([[words]])
})

test("other words stay", () => {
  expect(engineReason(new Error("espeak-ng has no voice xy"))).toBe("espeak-ng has no voice xy")
  expect(printed).not.toHaveBeenCalled()
})
