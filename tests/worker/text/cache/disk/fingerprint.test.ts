import { afterAll, expect, test } from "bun:test"
import { copyFileSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { TextModelSettings } from "../../../../../src/domain/settings"
import { fingerprintOf } from "../../../../../src/worker/text/cache/disk/fingerprint"
import { adapterPart } from "../../../../support/files/tiny-adapter"
import { writeTinyModel } from "../../../../support/files/tiny-model"
import { EXACT_SETTINGS } from "../../../../support/real/real-worker"
import { tempFolder } from "../../../../support/temp-folder"

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

const at = (name: string) => join(folder.path, name)
const { path } = writeTinyModel(at("a.gguf"), { dim: 256, layers: 4, ffn: 512 })

const of = (
  file = path,
  settings: Partial<TextModelSettings> = {},
  adapters: Parameters<typeof fingerprintOf>[1] = [],
  build = "1",
) => fingerprintOf(file, adapters, { settings: { ...EXACT_SETTINGS, ...settings }, build })

test("a model is known by its content, not by its name", async () => {
  copyFileSync(path, at("copy.gguf"))
  expect(await of(at("copy.gguf"))).toBe(await of())
})

test("one changed tensor makes it another, wherever it is", async () => {
  const bytes = readFileSync(path)
  const before = await of()
  for (const share of [0.3, 0.5, 0.7, 0.999]) {
    const changed = Buffer.from(bytes)
    // As large as a small tensor: a changed one differs nearly everywhere.
    const start = Math.floor(bytes.length * share) - 40_000
    for (let byte = start; byte < start + 40_000; byte++) changed[byte] = (changed[byte] ?? 0) ^ 1
    writeFileSync(at("changed.gguf"), changed)
    expect(await of(at("changed.gguf"))).not.toBe(before)
  }
})

test("what the cells' numbers depend on makes it another, and the shape of the pool does not", async () => {
  const before = await of()
  for (const settings of [{ kvTypeK: "f16" }, { kvTypeV: "q8_0" }, { flashAttention: "on" }] as const)
    expect(await of(path, settings)).not.toBe(before)
  expect(await of(path, {}, [], "2")).not.toBe(before)
  expect(
    await of(path, {
      slots: 3,
      kvLayout: "split",
      kvCells: 1024,
      contextLength: 512,
      decodeThreads: 2,
      memoryMap: false,
      promptsOnDisk: { folder: "/elsewhere", maxBytes: 1, minTokens: 1 },
    }),
  ).toBe(before)
})

test("adapters count with their scales, and one without effect does not count", async () => {
  writeFileSync(at("adapter.gguf"), "an adapter")
  const scaled = (scale: number) => of(path, {}, [adapterPart(at("adapter.gguf"), scale)])
  expect(await scaled(0)).toBe(await of())
  expect(new Set([await scaled(1), await scaled(0.5), await of()]).size).toBe(3)
})
