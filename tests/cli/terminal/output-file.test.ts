import { expect, test } from "bun:test"
import { lstatSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileOutput } from "../../../src/cli/terminal/output-file"
import { tempFolder } from "../../support/temp-folder"

const bytes = (text: string) => new TextEncoder().encode(text)

test("what a link leads to stays until the new file is whole, and the link stays a link", async () => {
  using folder = tempFolder()
  const [target, link] = [join(folder.path, "target.wav"), join(folder.path, "link.wav")]
  writeFileSync(target, "old")
  symlinkSync(target, link)
  {
    await using output = await fileOutput(link)
    await output.write(bytes("half"))
  }
  expect(readFileSync(link, "utf8")).toBe("old")
  await using output = await fileOutput(link)
  await output.write(bytes("new"))
  await output.finish()
  expect(output.path).toBe(link)
  expect(lstatSync(link).isSymbolicLink()).toBeTrue()
  expect(readFileSync(target, "utf8")).toBe("new")
  expect(readdirSync(folder.path).sort()).toEqual(["link.wav", "target.wav"])
})

test("a device that is full is told of with the path, in words", async () => {
  const output = await fileOutput("/dev/full")
  await expect(output.write(bytes("x"))).rejects.toThrow("cannot write /dev/full: no space left on the disk")
  await output[Symbol.asyncDispose]()
})
