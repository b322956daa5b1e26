import { afterEach, describe, expect, jest, setSystemTime, test } from "bun:test"
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs"
import { readdir, readFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { gunzipSync } from "node:zlib"
import { LogFile, type LogFileOptions } from "../../src/log/log-file"
import { tempFolder } from "../support/temp-folder"

afterEach(() => {
  jest.useRealTimers()
  setSystemTime()
})

function logFile(folder: string, options: Partial<LogFileOptions> = {}) {
  const elsewhere: string[] = []
  const path = join(folder, "xllm.log")
  const file = new LogFile({
    ...{ path, maxBytes: 1000, keep: 2, otherwise: (line) => void elsewhere.push(line) },
    ...options,
  })
  return { file, path, elsewhere }
}

/** Every file of a folder with its text. */
function contents(folder: string): Readonly<Record<string, string>> {
  const textOf = (name: string) => {
    const bytes = readFileSync(join(folder, name))
    return (name.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString()
  }
  return Object.fromEntries(
    readdirSync(folder)
      .filter((name) => !name.startsWith("."))
      .sort()
      .map((name) => [name, textOf(name)]),
  )
}

/** Resolves once the file has this text. */
async function untilFile(path: string, text: string): Promise<void> {
  while ((await readFile(path, "utf8").catch(() => "")) !== text);
}

/** Resolves once something has been said. */
async function untilSaid(lines: readonly string[], folder: string): Promise<void> {
  while (lines.length === 0) await readdir(folder)
}

test("lines are added to the file, whose folder is made", async () => {
  using folder = tempFolder()
  const nested = join(folder.path, "a", "b")
  for (const line of ["one\n", "two\n"]) {
    const { file, elsewhere } = logFile(nested)
    file.write(line)
    await file.close()
    expect(elsewhere).toEqual([])
  }
  expect(contents(nested)).toEqual({ "xllm.log": "one\ntwo\n" })
})

test("a full file is compressed and gives way to a new one, and only so many are kept", async () => {
  using folder = tempFolder()
  setSystemTime(new Date("2026-03-01T12:00:00Z"))
  const { file } = logFile(folder.path, { maxBytes: 10 })
  for (const line of ["first line\n", "second line\n", "third line\n", "fourth\n"]) file.write(line)
  await file.close()
  expect(contents(folder.path)).toEqual({
    "xllm.log": "fourth\n",
    "xllm.log.2026-03-01.2.gz": "second line\n",
    "xllm.log.2026-03-01.3.gz": "third line\n",
  })
})

test("a new day begins a new file", async () => {
  using folder = tempFolder()
  jest.useFakeTimers({ now: new Date("2026-03-01T23:59:00Z") })
  const { file, path } = logFile(folder.path)
  file.write("Sunday\n")
  await untilFile(path, "Sunday\n")
  jest.advanceTimersByTime(59_000)
  file.write("still Sunday\n")
  await untilFile(path, "Sunday\nstill Sunday\n")
  jest.advanceTimersByTime(2_000)
  await untilFile(path, "")
  file.write("Monday\n")
  await file.close()
  expect(contents(folder.path)).toEqual({
    "xllm.log": "Monday\n",
    "xllm.log.2026-03-01.1.gz": "Sunday\nstill Sunday\n",
  })
})

test("the file of an earlier day is put away at the start", async () => {
  using folder = tempFolder()
  const path = join(folder.path, "xllm.log")
  writeFileSync(path, "old\n")
  utimesSync(path, new Date("2026-02-27T12:00:00Z"), new Date("2026-02-27T12:00:00Z"))
  setSystemTime(new Date("2026-03-01T12:00:00Z"))
  const { file } = logFile(folder.path)
  file.write("new\n")
  await file.close()
  expect(contents(folder.path)).toEqual({ "xllm.log": "new\n", "xllm.log.2026-02-27.1.gz": "old\n" })
})

describe("a file that cannot be written", () => {
  test("is said once; its lines go elsewhere", async () => {
    using folder = tempFolder()
    mkdirSync(join(folder.path, "xllm.log"))
    const { file, path, elsewhere } = logFile(folder.path)
    await untilSaid(elsewhere, folder.path)
    file.write("one\n")
    file.write("two\n")
    await file.close()
    expect(elsewhere).toHaveLength(3)
    expect(elsewhere[0]).toStartWith(`cannot write the log file ${path}: `)
    expect(elsewhere.slice(1)).toEqual(["one\n", "two\n"])
  })

  test("is tried again after a minute", async () => {
    using folder = tempFolder()
    const inTheWay = join(folder.path, "xllm.log")
    mkdirSync(inTheWay)
    setSystemTime(new Date("2026-03-01T12:00:00Z"))
    const { file, elsewhere } = logFile(folder.path)
    await untilSaid(elsewhere, folder.path)
    rmdirSync(inTheWay)
    setSystemTime(new Date("2026-03-01T12:00:59Z"))
    file.write("too soon\n")
    setSystemTime(new Date("2026-03-01T12:01:00Z"))
    file.write("again\n")
    await file.close()
    expect(elsewhere.slice(1)).toEqual(["too soon\n"])
    expect(contents(folder.path)).toEqual({ "xllm.log": "again\n" })
  })
})

describe("a file that somebody else has taken away", () => {
  test("is made anew when it is opened again, and nothing is lost", async () => {
    using folder = tempFolder()
    const { file, path } = logFile(folder.path)
    file.write("one\n")
    await untilFile(path, "one\n")
    renameSync(path, `${path}.1`)
    file.write("two\n")
    file.reopen()
    file.write("three\n")
    await file.close()
    expect(contents(folder.path)).toEqual({ "xllm.log": "three\n", "xllm.log.1": "one\ntwo\n" })
  })

  const takeAway: readonly (readonly [string, (path: string) => void])[] = [
    ["deleted", (path) => rmSync(path)],
    ["renamed", (path) => renameSync(path, `${path}.1`)],
    [
      "replaced by another one",
      (path) => {
        renameSync(path, `${path}.1`)
        writeFileSync(path, "")
      },
    ],
    ["deleted with its folder", (path) => rmSync(dirname(path), { recursive: true })],
  ]

  test.each(takeAway)("is made anew soon after it was %s", async (_how, take) => {
    using folder = tempFolder()
    jest.useFakeTimers({ now: new Date("2026-03-01T12:00:00Z") })
    const { file, path, elsewhere } = logFile(join(folder.path, "logs"))
    file.write("old\n")
    await untilFile(path, "old\n")
    take(path)
    // Until it is seen, lines go where they went.
    while (!(await readFile(path, "utf8").catch(() => "")).endsWith("new\n")) {
      jest.advanceTimersByTime(2000)
      file.write("new\n")
    }
    await file.close()
    expect(readFileSync(path, "utf8")).not.toContain("old")
    expect(elsewhere).toEqual([])
  })

  test("is not missed where it was put away by the log itself", async () => {
    using folder = tempFolder()
    jest.useFakeTimers({ now: new Date("2026-03-01T12:00:00Z") })
    const { file, path } = logFile(folder.path, { maxBytes: 10 })
    file.write("first line\n")
    await untilFile(path, "")
    for (let turn = 0; turn < 5; turn++) {
      jest.advanceTimersByTime(2000)
      await readdir(folder.path)
    }
    file.write("second\n")
    await file.close()
    expect(contents(folder.path)).toEqual({
      "xllm.log": "second\n",
      "xllm.log.2026-03-01.1.gz": "first line\n",
    })
  })

  test("stays away after the end", async () => {
    using folder = tempFolder()
    const { file, path } = logFile(folder.path)
    await file.close()
    rmSync(path, { force: true })
    file.reopen()
    expect(readdirSync(folder.path)).not.toContain("xllm.log")
  })
})

test("a disk that does not answer costs no more than so much memory", async () => {
  using folder = tempFolder()
  const { file, elsewhere } = logFile(folder.path, { maxBytes: 1e9 })
  const line = `${"x".repeat(1024 ** 2)}\n`
  // Nothing reaches the disk before this function waits.
  for (let count = 0; count < 20; count++) file.write(line)
  expect(elsewhere).toHaveLength(4)
  await file.close()
})

test("what is written after the end goes elsewhere", async () => {
  using folder = tempFolder()
  const { file, elsewhere } = logFile(folder.path)
  await file.close()
  file.write("late\n")
  expect(elsewhere).toEqual(["late\n"])
})

describe("of two processes with one file", () => {
  test("one rotates it; the other appends, says so, and follows to the new file", async () => {
    using folder = tempFolder()
    setSystemTime(new Date("2026-03-01T12:00:00Z"))
    const first = logFile(folder.path, { maxBytes: 10 })
    const second = logFile(folder.path, { maxBytes: 10 })
    expect(first.elsewhere).toEqual([])
    expect(second.elsewhere).toEqual([
      `another process writes the log file ${first.path} and rotates it; this one only appends to it: ` +
        "better give each a file of its own\n",
    ])
    second.file.write("of the second, longer than the limit\n")
    await untilFile(first.path, "of the second, longer than the limit\n")
    first.file.write("of the first\n")
    await untilFile(first.path, "")
    second.file.write("again\n")
    await untilFile(first.path, "again\n")
    await second.file.close()
    await first.file.close()
    expect(contents(folder.path)).toEqual({
      "xllm.log": "again\n",
      "xllm.log.2026-03-01.1.gz": "of the second, longer than the limit\nof the first\n",
    })
  })

  test("the other rotates it once the first has ended", async () => {
    using folder = tempFolder()
    // Today, which is the day of the file that is there.
    jest.useFakeTimers()
    const first = logFile(folder.path, { maxBytes: 10 })
    const second = logFile(folder.path, { maxBytes: 10 })
    await first.file.close()
    jest.advanceTimersByTime(2000)
    second.file.write("longer than the limit\n")
    await untilFile(second.path, "")
    await second.file.close()
    expect(Object.values(contents(folder.path))).toEqual(["", "longer than the limit\n"])
  })
})
