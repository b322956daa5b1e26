import { expect, test } from "bun:test"
import { readText, widthOf } from "../../../src/cli/terminal/io"

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

test("the width is that of the first terminal, and 80 where it reports none", () => {
  const file = {}
  expect(widthOf([file, file])).toBeUndefined()
  expect(widthOf([file, { isTTY: true, columns: 120 }])).toBe(120)
  expect(
    widthOf([
      { isTTY: true, columns: 100 },
      { isTTY: true, columns: 120 },
    ]),
  ).toBe(100)
  expect(widthOf([{ isTTY: true, columns: 0 }])).toBe(80)
})
