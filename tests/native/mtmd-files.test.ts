import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { newerVersions } from "../../scripts/symbol-versions"
import { installedMtmd } from "../../src/native/mtmd-files"
import { locateLlama } from "../../src/native/llama-files"

const { mtmd, libraries, folder } = await locateLlama("/nonexistent")

describe.skipIf(process.platform !== "linux")("the versions of the C and C++ libraries", () => {
  test("that libllama needs are newer than libggml-base's", async () => {
    expect(await newerVersions(libraries.llama, libraries.ggmlBase)).toContain("GLIBC_2.34")
    expect(await newerVersions(libraries.ggmlBase, libraries.llama)).toEqual([])
  })

  test.skipIf(mtmd === undefined)("that libmtmd needs are not newer than libllama's", async () => {
    expect(installedMtmd()).toBe(mtmd)
    expect(await newerVersions(mtmd ?? "", libraries.llama)).toEqual([])
  })

  test("are found in real libraries only", async () => {
    expect(
      await newerVersions(join(import.meta.dir, "mtmd-files.test.ts"), join(folder, "libggml-base.so")),
    ).toEqual([])
  })
})
