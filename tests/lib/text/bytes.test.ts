import { describe, expect, test } from "bun:test"
import { formatSize, parseBytes } from "../../../src/lib/text/bytes"

describe("a size", () => {
  test.each([
    ["0", 0],
    ["123", 123],
    ["5B", 5],
    ["8GiB", 8 * 1024 ** 3],
    ["8gb", 8e9],
    ["8Gi", 8 * 1024 ** 3],
    ["8G", 8 * 1024 ** 3],
    ["1.5 MiB", 1.5 * 1024 ** 2],
    ["2k", 2048],
  ])("%p is %p bytes", (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes)
  })

  test.each(["", "GiB", "-1", "8XB", "8GiBs", "1e3", "8Gii"])("%p is none", (text) => {
    expect(parseBytes(text)).toBeUndefined()
  })
})

test.each([
  [0, "0 bytes"],
  [512, "512 bytes"],
  [16 * 1024 ** 2, "16 MiB"],
  [1.5 * 1024 ** 3, "1.5 GiB"],
  [1_234_567, "1.18 MiB"],
])("%p bytes are %p in messages", (bytes, text) => {
  expect(formatSize(bytes)).toBe(text)
})
