import { expect, test } from "bun:test"
import { join } from "node:path"
import { type FolderEntry, FolderListings } from "../../../src/store/local/folder-listings"
import { scanModelsFolder } from "../../../src/store/local/scan"

/** A folder at any path that has these, without a disk. */
class MadeUpListings extends FolderListings {
  readonly #entries: ReadonlyMap<string, readonly FolderEntry[]>

  constructor(entries: Readonly<Record<string, readonly FolderEntry[]>>) {
    super()
    this.#entries = new Map(Object.entries(entries))
  }

  override async entries(path: string): Promise<readonly FolderEntry[]> {
    return this.#entries.get(path) ?? []
  }
}

const files = (count: number, ending: string): FolderEntry[] =>
  Array.from({ length: count }, (_, index) => ({ name: `m${index}.${ending}`, kind: "file" }))

async function scan(entries: Readonly<Record<string, readonly FolderEntry[]>>) {
  const reasons: string[] = []
  const listings = new MadeUpListings(entries)
  const found = await scanModelsFolder(
    "/models",
    listings,
    async () => false,
    (reason) => reasons.push(reason),
  )
  return { found: found.length, reasons }
}

test("a models directory may have thousands of models, but not any number", async () => {
  expect(await scan({ "/models": files(10_000, "gguf") })).toEqual({ found: 10_000, reasons: [] })
  expect(await scan({ "/models": files(30_000, "gguf") })).toEqual({
    found: 10_000,
    reasons: ["it has more than 10000 models; the others are left out"],
  })
})

test("a directory that is no models directory is not looked through to its end", async () => {
  const folders: FolderEntry[] = Array.from({ length: 20 }, (_, index) => ({
    name: `f${index}`,
    kind: "folder",
  }))
  const contents = folders.map(({ name }) => [join("/models", name), files(10_000, "txt")] as const)
  expect(await scan({ "/models": folders, ...Object.fromEntries(contents) })).toEqual({
    found: 0,
    reasons: ["it has more than 100000 files and folders; the others are left out"],
  })
})
