import { describe, expect, test } from "bun:test"
import { existsSync, readFileSync } from "node:fs"
import { dirname, isAbsolute, join } from "node:path"
import { locateLlama } from "../../src/native/llama-files"
import { llamaVersion } from "../../src/native/llama-version"
import { chooseLibraries, packageFolder, packagesFor } from "../../src/native/packages"

const packages = packagesFor(process.platform, process.arch)

describe("llama.cpp's files in development", () => {
  test("are real, absolute and complete", async () => {
    const files = await locateLlama("/nonexistent")
    const paths = [files.folder, files.shim, ...Object.values(files.libraries)]
    expect(paths.filter((path) => !isAbsolute(path) || !existsSync(path))).toEqual([])
    expect(Object.values(files.libraries).filter((path) => dirname(path) !== files.folder)).toEqual([])
  })

  test.skipIf(packages?.vulkan === undefined)(
    "have a Vulkan backend made for the same libggml-base",
    async () => {
      const { vulkan, libraries } = await locateLlama("/nonexistent")
      expect(vulkan).toBeDefined()
      const [own, theirs] = [libraries.ggmlBase, join(dirname(vulkan ?? ""), "libggml-base.so")]
      expect(readFileSync(own).equals(readFileSync(theirs))).toBe(true)
    },
  )

  test("say which release of llama.cpp they are", () => {
    expect(llamaVersion()).toMatch(/^v\d+\.\d+\.\d+$/)
  })

  test("are not found for a package that is not installed", () => {
    expect(packageFolder("@node-llama-cpp/no-such-platform")).toBeUndefined()
  })
})

describe("choosing libraries by name", () => {
  test("knows macOS's names, and the backend in the file name of a GPU package", () => {
    const names = ["libggml-base.dylib", "libggml-blas.so", "libggml-cpu-apple_m1.so", "libggml-metal.so"]
    const linked = ["libggml.metal.v0.4.0.dylib", "libllama-common.dylib", "libllama.metal.v0.4.0.dylib"]
    expect(chooseLibraries([...names, ...linked])).toEqual({
      ggmlBase: "libggml-base.dylib",
      ggml: "libggml.metal.v0.4.0.dylib",
      llama: "libllama.metal.v0.4.0.dylib",
      llamaCommon: "libllama-common.dylib",
    })
  })

  test("refuses a folder in which one is missing", () => {
    expect(chooseLibraries(["libggml-base.so", "libggml.v0.5.0.so", "libllama-common.so"])).toBeUndefined()
  })
})
