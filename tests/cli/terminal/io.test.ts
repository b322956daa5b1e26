import { expect, test } from "bun:test"
import { readText } from "../../../src/cli/terminal/io"

const MIB = 1024 ** 2

test("text that is piped in is read to its end, wherever it is cut", async () => {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    const bytes = new TextEncoder().encode("größe")
    for (let at = 0; at < bytes.length; at++) yield bytes.subarray(at, at + 1)
  }
  expect(await readText(pieces())).toBe("größe")
})

test("what is too long for any model is not read to its end", async () => {
  let sent = 0
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      sent++
      yield new Uint8Array(MIB)
    }
  }
  expect(readText(endless())).rejects.toThrow(
    "the input is larger than 16 MB, which is more than any model accepts",
  )
  await readText(endless()).catch(() => {})
  expect(sent).toBe(2 * 17)
})
