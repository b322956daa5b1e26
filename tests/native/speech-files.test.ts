import { describe, expect, test } from "bun:test"
import { chooseSpeechLibraries, speechPackage, speechPackageFolder } from "../../src/native/speech-files"

describe("choosing the speech engine's libraries by name", () => {
  test("takes the addon and what it is linked against", () => {
    const names = [
      "README.md",
      "libonnxruntime.so",
      "libsherpa-onnx-c-api.so",
      "libsherpa-onnx-cxx-api.so",
      "sherpa-onnx.node",
    ]
    expect(chooseSpeechLibraries(names)).toEqual([
      "sherpa-onnx.node",
      "libsherpa-onnx-c-api.so",
      "libonnxruntime.so",
    ])
  })

  test("knows macOS's names, where ONNX Runtime's carries its version", () => {
    const names = ["libonnxruntime.1.24.4.dylib", "libsherpa-onnx-c-api.dylib", "sherpa-onnx.node"]
    expect(chooseSpeechLibraries(names)?.sort()).toEqual(names)
  })

  test("refuses a folder in which one is missing", () => {
    expect(chooseSpeechLibraries(["sherpa-onnx.node", "libonnxruntime.so"])).toBeUndefined()
  })
})

describe("the package of the speech engine", () => {
  test("is known by platform", () => {
    expect(speechPackage("linux", "x64")).toBe("sherpa-onnx-linux-x64")
    expect(speechPackage("plan9", "x64")).toBeUndefined()
  })

  test("is not found where it is not installed", () => {
    expect(speechPackageFolder("sherpa-onnx-no-such-platform")).toBeUndefined()
  })
})
