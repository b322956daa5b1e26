import { expect, test } from "bun:test"
import { command as benchmark } from "../../../src/cli/commands/measure/benchmark"
import { fakeIo } from "../../support/fakes/fake-io"

test("a page that could not be written is refused before anything is measured", async () => {
  const given = ["./absent.gguf", "--html", "/absent-folder/page.html"]
  await expect(benchmark.execute(given, fakeIo())).rejects.toThrow(
    "cannot write /absent-folder/page.html: no such file or folder",
  )
})
