import { expect, test } from "bun:test"
import { command as quantize } from "../../../src/cli/commands/weights/quantize"
import { fakeIo } from "../../support/fakes/fake-io"

test("a pattern that is not a regular expression is refused before the model is read", async () => {
  const given = ["./absent.gguf", "Q8_0", "--tensor-type", "attn_(q=q8_0"]
  await expect(quantize.execute(given, fakeIo())).rejects.toThrow(
    "--tensor-type: 'attn_(q' is not a regular expression",
  )
})
