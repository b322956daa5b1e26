import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { espeakPackageFolder, readEspeakPackage, readEspeakTable } from "../../src/native/espeak-package"
import { tempFolder } from "../support/temp-folder"

describe("espeak-ng's data in its package", () => {
  test("has what every voice needs, and the rules and words of many languages", async () => {
    const files = await readEspeakPackage(espeakPackageFolder() ?? "")
    const names = files.map(({ name }) => name)
    for (const name of [
      "phontab",
      "phonindex",
      "phondata",
      "intonations",
      "en_dict",
      "de_dict",
      "lang/gmw/en-US",
    ])
      expect(names).toContain(name)
    // The header of phontab: how many tables of phonemes there are.
    const phontab = files.find(({ name }) => name === "phontab")?.content ?? new Uint8Array()
    expect(phontab[0]).toBeGreaterThan(100)
  })

  test("is packed without its largest dictionaries and espeak's own voices", async () => {
    const files = await readEspeakPackage(espeakPackageFolder() ?? "")
    expect(files.filter(({ name }) => name.startsWith("voices/"))).toEqual([])
    expect(files.filter(({ name }) => name === "ru_dict")).toEqual([])
    expect(files.reduce((sum, { content }) => sum + content.length, 0)).toBeLessThan(10e6)
  })

  test("is found in a table of contents by Emscripten", () => {
    const script = `loadPackage({files:[{filename:"/usr/share/espeak-ng-data/lang/gmw/en",start:0,end:12},{filename:"/usr/share/espeak-ng-data/phontab",start:12,end:20},{filename:"/etc/passwd",start:20,end:21}]`
    expect(readEspeakTable(script)).toEqual([
      { name: "lang/gmw/en", start: 0, end: 12 },
      { name: "phontab", start: 12, end: 20 },
    ])
  })

  test("is missed with a word on what to do", async () => {
    using temp = tempFolder()
    expect(readEspeakPackage(temp.path)).rejects.toThrow(/install @echogarden\/espeak-ng-emscripten again/)
    await Bun.write(join(temp.path, "espeak-ng.js"), "// another layout")
    await Bun.write(join(temp.path, "espeak-ng.data"), "")
    expect(readEspeakPackage(temp.path)).rejects.toThrow(/no table of espeak-ng's data/)
  })
})
