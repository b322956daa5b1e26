import { expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { readFormat } from "../../../src/cli/args/output-format"
import { tempFolder } from "../../support/temp-folder"

test("a schema that is not JSON is refused with the line of the fault", async () => {
  using folder = tempFolder()
  const path = join(folder.path, "cat.json")
  writeFileSync(path, '{\n  "type": "object",\n}')
  await expect(readFormat(path)).rejects.toThrow(`${path} is not a JSON schema: line 3: `)
})

test("a word that is no format is refused with what there is, a missing file as missing", async () => {
  await expect(readFormat("yaml")).rejects.toThrow(
    "the format must be json, or a file with a JSON schema, got 'yaml'",
  )
  await expect(readFormat("cat.schema.json")).rejects.toThrow("cannot read cat.schema.json: ")
})
