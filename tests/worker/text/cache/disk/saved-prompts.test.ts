import { expect, test } from "bun:test"
import { readdirSync, utimesSync } from "node:fs"
import { join } from "node:path"
import { PromptFolder } from "../../../../../src/kv-disk/folder"
import { SavedPrompts } from "../../../../../src/worker/text/cache/disk/saved-prompts"
import { tempFolder } from "../../../../support/temp-folder"

function open(folder: string): SavedPrompts {
  return new SavedPrompts({
    folder: new PromptFolder({ folder, maxBytes: 1024 ** 3, warn: () => {} }),
    fingerprint: () => Promise.resolve("f".repeat(64)),
    model: "m",
    modelId: "1",
    minTokens: 64,
    mostBytes: () => 1024 ** 3,
    cutsBack: true,
    now: () => 0,
  })
}

/** The first `length` tokens of one conversation. */
function conversation(length: number) {
  return {
    tokens: Int32Array.from({ length }, (_, at) => at),
    realm: "",
    state: new Uint8Array(1000).fill(length % 251),
  }
}

const files = (folder: string) => readdirSync(folder).filter((name) => name.endsWith(".kv"))

test("a longer state takes the place of a shorter one that begins it", async () => {
  using temp = tempFolder()
  const saved = open(temp.path)
  await saved.save(conversation(300))
  await saved.save(conversation(400))
  expect(files(temp.path)).toHaveLength(1)
})

test("a write in a hurry leaves the shorter one, which a power failure does not touch", async () => {
  using temp = tempFolder()
  const { signal } = new AbortController()
  await open(temp.path).save(conversation(300), signal)
  await open(temp.path).save(conversation(400), signal)
  expect(files(temp.path)).toHaveLength(2)
  // Both have been on the disk for long when the next one is written.
  for (const name of files(temp.path)) utimesSync(join(temp.path, name), 1000, 1000)
  await open(temp.path).save(conversation(500), signal)
  expect(files(temp.path)).toHaveLength(2)
})
