import { expect, test } from "bun:test"
import { encodeFrame, FrameReader } from "../../../src/worker/diffusion/frames"

const FRAMES = [
  { message: { type: "progress", step: 1 }, bytes: new Uint8Array() },
  { message: { type: "image" }, bytes: new Uint8Array([1, 2, 3, 0, 255]) },
  { message: { text: "日本 \0" }, bytes: new Uint8Array(100_000).fill(7) },
]

test.each([1, 3, 7, 4096, 1_000_000])("frames that arrive in pieces of %i bytes are put together", (size) => {
  const all = Buffer.concat(FRAMES.map(({ message, bytes }) => encodeFrame(message, bytes)))
  const reader = new FrameReader()
  const found = []
  // Whole bytes one by one would take long; the beginning is what matters.
  for (let start = 0; start < all.length;) {
    const end = start + (start < 500 ? size : 4096)
    found.push(...reader.push(all.subarray(start, end)))
    start = end
  }
  expect(found).toEqual(FRAMES)
})
