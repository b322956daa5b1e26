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
