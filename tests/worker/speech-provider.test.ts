import { expect, test } from "bun:test"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { speechProvider } from "../../src/worker/speech-provider"
import { tempFolder } from "../support/temp-folder"

test("speech models run on the CPU, whose threads do not wait in a loop", async () => {
  using folder = tempFolder()
  const runtime = join(folder.path, "not there yet")
  const provider = await speechProvider(runtime)
  const path = provider.replace(/^cpu:/, "")
  const options = readFileSync(path, "utf8")
  expect(options).toContain("SessionConfig.session.intra_op.allow_spinning=0\n")
  // Whatever another version left there.
  writeFileSync(path, "SessionConfig.session.intra_op.allow_spinning=1\n")
  expect(await speechProvider(runtime)).toBe(provider)
  expect(readFileSync(path, "utf8")).toBe(options)
  expect(readdirSync(runtime)).toHaveLength(1)
})
