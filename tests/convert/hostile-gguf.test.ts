import { afterAll, expect, test } from "bun:test"
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { convertToGguf } from "../../src/convert/convert"
import { GgufSource } from "../../src/convert/folder/gguf-source"
import { convertToFolder } from "../../src/convert/folder/to-folder"
import { planGguf } from "../../src/convert/plan"
import { HfFolder } from "../../src/convert/source/folder"
import { XllmError } from "../../src/errors/base"
import { mulberry } from "../support/files/mulberry"
import { TINY_FOLDERS, writeTinyFolder } from "../support/hf/tiny-folders"
import { tempFolder } from "../support/temp-folder"

const temp = tempFolder()
const place = temp.path
afterAll(() => temp[Symbol.dispose]())

async function gguf(kind: string): Promise<Uint8Array> {
  const make = TINY_FOLDERS[kind]
  if (make === undefined) throw new Error(`no folder '${kind}'`)
  await using plan = await planGguf(await HfFolder.open(writeTinyFolder(join(place, kind), make())), {
    pre: "llama-bpe",
  })
  const [path = ""] = await convertToGguf({ plan, out: join(place, `${kind}.gguf`) })
  return readFileSync(path)
}

test("a thousand damaged GGUFs become folders or are refused, and leave nothing", async () => {
  const random = mulberry(99)
  const seeds = [
    await gguf("mistral"),
    await gguf("llama-rope3"),
    await gguf("gemma3"),
    await gguf("phi3-long"),
  ]
  const path = join(place, "damaged.gguf")
  const out = join(place, "damaged")
  let refused = 0
  for (let round = 0; round < 1000; round++) {
    const bytes = new Uint8Array(seeds[round % seeds.length] ?? new Uint8Array())
    for (let count = 1 + Math.floor(random() * 3); count > 0; count--)
      bytes[Math.floor(random() ** 3 * bytes.length)] = Math.floor(random() * 256)
    writeFileSync(path, random() < 0.1 ? bytes.subarray(0, Math.floor(random() * bytes.length)) : bytes)
    try {
      await using source = await GgufSource.open(path)
      await convertToFolder({ source, out, type: "BF16", shardBytes: 5e9 })
    } catch (error) {
      refused++
      if (!(error instanceof XllmError)) throw error
      expect(readdirSync(place)).not.toContain("damaged")
    }
    rmSync(out, { recursive: true, force: true })
  }
  expect(refused).toBeGreaterThan(100)
  expect(readdirSync(place).filter((name) => name.endsWith(".part"))).toEqual([])
}, 120_000)
