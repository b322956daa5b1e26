import { expect, test } from "bun:test"
import { createLogger, type LogFormat, type LogLevel, WholeText } from "../../src/log/logger"

function logger(format: LogFormat, level: LogLevel = "debug") {
  const lines: string[] = []
  const now = () => new Date(Date.UTC(2030, 0, 2, 3, 4, 5, 6))
  return { lines, log: createLogger({ level, format, write: (line) => lines.push(line), now }) }
}

test("a JSON event is one line with time, level, event and fields", () => {
  const { lines, log } = logger("json")
  log.info("model loaded", {
    model: "m",
    ms: 12,
    size: 5n,
    error: new Error("no"),
    text: "a\nb",
    none: undefined,
  })
  expect(lines).toEqual([
    '{"time":"2030-01-02T03:04:05.006Z","level":"info","event":"model loaded","model":"m","ms":12,"size":"5",' +
      '"error":"no","text":"a\\nb"}\n',
  ])
})

test("a pretty event is one readable line", () => {
  const { lines, log } = logger("pretty")
  log.warn("model loaded", { model: "m", ms: 12, devices: ["a", "b"], reason: "no driver", none: undefined })
  expect(lines).toEqual([
    '03:04:05.006 warn  model loaded model=m ms=12 devices=["a","b"] reason="no driver"\n',
  ])
})

test("a field cannot begin a new line or command the terminal", () => {
  const { lines, log } = logger("pretty")
  log.error("worker output", { text: "one\ntwo \x1b[2J", escape: "\x1b[31m", c1: "\u009b2J" })
  expect(lines).toHaveLength(1)
  expect(lines[0]).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]|\n./)
})

test("events below the level are not written, and off writes none", () => {
  const { lines, log } = logger("json", "warn")
  log.debug("a")
  log.info("b")
  log.warn("c")
  log.error("d")
  expect(lines.map((line) => JSON.parse(line).event)).toEqual(["c", "d"])
  const silent = logger("json", "off")
  silent.log.error("e")
  expect(silent.lines).toEqual([])
})

test("a child adds its fields to each event, and the event's own win", () => {
  const { lines, log } = logger("json")
  const child = log.child({ model: "m", part: 1 }).child({ part: 2 })
  child.info("a")
  child.info("b", { model: "other" })
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { event: "a", model: "m", part: 2 },
    { event: "b", model: "other", part: 2 },
  ])
})

test.each(["json", "pretty"] as const)(
  "a long text is cut in a %s line, unless it is wanted whole",
  (format) => {
    const { lines, log } = logger(format)
    log.info("a", {
      text: "x".repeat(5000),
      error: new Error("y".repeat(5000)),
      answer: new WholeText("z".repeat(5000)),
    })
    const [line = ""] = lines
    expect(line.match(/x+…/)?.[0]).toHaveLength(4097)
    expect(line.match(/y+…/)?.[0]).toHaveLength(4097)
    expect(line.match(/z+/)?.[0]).toHaveLength(5000)
  },
)
