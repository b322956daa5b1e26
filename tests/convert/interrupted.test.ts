import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { convertToGguf } from "../../src/convert/convert"
import { planGguf } from "../../src/convert/plan"
import { HfFolder } from "../../src/convert/source/folder"
import { failure } from "../support/failure"
import { writeSparseFolder } from "../support/hf/sparse-folder"
import { TINY_FOLDERS, writeTinyFolder } from "../support/hf/tiny-folders"
import { canMount, mountSmallDisk } from "../support/small-disk"
import { tempFolder } from "../support/temp-folder"
import { until } from "../support/until"
import { spawnXllm } from "../support/xllm"

setDefaultTimeout(120_000)

const MIB = 1024 ** 2
/** Of the weights: three matrices of 64 columns in each of two layers, two bytes each. */
const INNER = 1536 * 1024
const MODEL_BYTES = 6 * 64 * 2 * INNER

describe("a conversion", () => {
  test("that is killed leaves no model, and the next one needs memory for pieces of tensors only", async () => {
    using temp = tempFolder()
    const folder = writeSparseFolder(join(temp.path, "wide"), INNER)
    const out = join(temp.path, "out")
    const path = join(out, "wide.gguf")
    const environment = { XLLM_HOME: join(temp.path, "home") }
    const argv = ["convert", folder, "-o", path, "--pre", "qwen2"]
    mkdirSync(out)

    const killed = spawnXllm(argv, { environment })
    await until(() => readdirSync(out).length > 0)
    killed.kill("SIGKILL")
    await killed.exited
    expect(readdirSync(out).filter((name) => name.endsWith(".gguf"))).toEqual([])

    const next = spawnXllm(argv, { environment })
    expect([await next.stderr.text(), await next.exited]).toEqual(["", 0])
    expect(statSync(path).size).toBeGreaterThan(MODEL_BYTES)
    // It takes about 200 MiB, and more where garbage is collected late: less than the model in any case.
    expect(next.resourceUsage()?.maxRSS).toBeLessThan((2 / 3) * MODEL_BYTES)
  })

  test.if(canMount)("for which the disk becomes too small keeps what was there", async () => {
    using temp = tempFolder()
    const place = join(temp.path, "disk")
    using disk = mountSmallDisk(place, 4)
    expect(disk).toBeDefined()
    const make = TINY_FOLDERS["qwen2"]
    if (make === undefined) throw new Error("no folder")
    const folder = writeTinyFolder(join(temp.path, "tiny"), make())
    const out = join(place, "tiny.gguf")
    writeFileSync(out, "the old one")
    await using plan = await planGguf(await HfFolder.open(folder), { pre: "qwen2", outType: "f32" })
    let isFull = false
    const fill = () => {
      if (isFull) return
      isFull = true
      try {
        writeFileSync(join(place, "filler"), new Uint8Array(5 * MIB))
      } catch {
        // The disk is full then.
      }
    }
    const error = await failure(convertToGguf({ plan, out, mayReplace: true, onProgress: fill }))
    expect(error.message).toMatch(/space|full/)
    expect(readdirSync(place).sort()).toEqual(["filler", "tiny.gguf"])
    expect(await Bun.file(out).text()).toBe("the old one")
  })
})
