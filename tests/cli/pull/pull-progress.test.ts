import { expect, test } from "bun:test"
import { JsonView, progressLine, pullProgress, Rate, timeLeft } from "../../../src/cli/pull/pull-progress"
import { fakeIo } from "../../support/fakes/fake-io"

const DIGEST = `sha256:${"7".repeat(64)}`
const progress = (completed: number, total: number | undefined = 1000) => ({
  type: "progress" as const,
  status: "pulling 777777777777",
  id: "a",
  files: 1,
  digest: DIGEST,
  total,
  completed,
})

test("a bar shows percent, sizes, speed and time left", () => {
  const line = progressLine({ status: "pulling 74701a8c35f6", completed: 560e6, total: 1300e6 }, 54e6)
  expect(line).toBe("pulling 74701a8c35f6:  43% ▕██████████              ▏ 560 MB/1.3 GB    54 MB/s      14s")
})

test.each([
  [33, "pulling 74701a8c35f6:  43% 560 M…"],
  [60, "pulling 74701a8c35f6:  43% ▕██    ▏ 560 MB/1.3 GB    54 MB/s"],
  [79, "pulling 74701a8c35f6:  43% ▕██████          ▏ 560 MB/1.3 GB    54 MB/s      14s"],
])("a bar fits %d columns", (columns, expected) => {
  const line = progressLine(
    { status: "pulling 74701a8c35f6", completed: 560e6, total: 1300e6 },
    54e6,
    columns,
  )
  expect(line).toBe(expected)
  expect(Bun.stringWidth(line)).toBeLessThanOrEqual(columns)
})

test("a bar that is full shows the size", () => {
  const line = progressLine({ status: "pulling x", completed: 10, total: 10 }, 5)
  expect(line).toBe(`pulling x: 100% ▕${"█".repeat(24)}▏ 10 B`)
})

test("without a total the bytes are counted", () => {
  expect(progressLine({ status: "pulling x", completed: 2e6, total: undefined }, 1e6)).toBe(
    "pulling x: 2 MB     1 MB/s",
  )
})

test.each([
  [0.2, "1s"],
  [59, "59s"],
  [125, "2m5s"],
  [4800, "1h20m"],
  [400_000, "99h+"],
])("%d seconds are %s", (seconds, text) => {
  expect(timeLeft(seconds)).toBe(text)
})

test("a rate is the mean of the last ten seconds", () => {
  const rate = new Rate()
  expect(rate.perSecond).toBeUndefined()
  rate.add(0, 0)
  rate.add(1000, 500)
  expect(rate.perSecond).toBe(500)
  rate.add(20_000, 500)
  rate.add(21_000, 1500)
  expect(rate.perSecond).toBe(1000)
})

test("piped, there are few lines and no escape codes", () => {
  const io = fakeIo()
  const view = pullProgress(io)
  view.show({ type: "status", status: "pulling manifest" })
  for (let completed = 0; completed <= 1000; completed++) view.show(progress(completed))
  view.show({ type: "note", text: "a note\x1b[31m" })
  view.show({ type: "status", status: "success" })
  view.end()
  const lines = io.err.trimEnd().split("\n")
  expect(lines).toHaveLength(14)
  expect(lines.slice(0, 3)).toEqual([
    "pulling manifest",
    "pulling 777777777777: 0% of 1 KB",
    "pulling 777777777777: 10% of 1 KB",
  ])
  expect(io.err).not.toContain("\x1b")
})

test("on a terminal bars that are over stay above what comes", () => {
  const io = fakeIo({ isTerminal: true })
  const view = pullProgress(io)
  view.show({ type: "status", status: "pulling manifest" })
  view.show(progress(1000))
  view.show({ type: "status", status: "success" })
  view.end()
  expect(io.err).toContain("100% ▕")
  expect(io.err).toEndWith("success\n")
})

test("many files share a bar", () => {
  const io = fakeIo()
  const view = pullProgress(io)
  for (let index = 0; index < 20; index++) view.show({ ...progress(0), id: String(index), files: 20 })
  expect(io.err).toBe("pulling 20 files: 0% of 20 KB\n")
})

test("as JSON it is one object a line, as Ollama tells it", () => {
  let out = ""
  const view = new JsonView((text) => void (out += text))
  view.show({ type: "status", status: "pulling manifest" })
  view.show(progress(0))
  view.show(progress(1))
  view.show(progress(1000))
  view.show({ type: "note", text: "so" })
  expect(
    out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual([
    { status: "pulling manifest" },
    { status: "pulling 777777777777", digest: DIGEST, total: 1000, completed: 0 },
    { status: "pulling 777777777777", digest: DIGEST, total: 1000, completed: 1000 },
    { status: "so" },
  ])
})
