import { expect, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { packageFolder, packagesFor } from "../../../../src/native/packages"
import { STOCK_ARCHITECTURES } from "../../../../src/store/pull/choose/stock-llama"

const packages = packagesFor(process.platform, process.arch)
const folder = packages && packageFolder(packages.base)
if (folder === undefined)
  console.log("the test of llama.cpp's architectures is skipped: its libraries are not installed")

test.skipIf(folder === undefined)("the shipped llama.cpp knows every architecture of the list", () => {
  const files = readdirSync(folder ?? "").filter((name) =>
    /^libllama(\.[a-z]+)?\.v[0-9.]+\.(so|dylib)$/.test(name),
  )
  const library = readFileSync(join(folder ?? "", files[0] ?? ""))
  const unknown = [...STOCK_ARCHITECTURES].filter((name) => !library.includes(`${name}\0`))
  expect(unknown).toEqual([])
})
