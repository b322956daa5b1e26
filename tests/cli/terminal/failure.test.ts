import { describe, expect, test } from "bun:test"
import { openSync, readFileSync, writeFileSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { failureText } from "../../../src/cli/terminal/failure"
import { fromWire, InternalError } from "../../../src/errors/base"
import { UsageError } from "../../../src/errors/cli"
import { ModelLoadFailed } from "../../../src/errors/model"
import { tempFolder } from "../../support/temp-folder"

const DEFECT = new TypeError("undefined is not an object (evaluating 'uG.x')")

describe("a command that failed", () => {
  test("tells one of our errors as it is, without what could change the screen", () => {
    expect(failureText(new UsageError("no 'a\x1b[31mb\x07'"), {})).toBe("no 'a\ufffd[31mb\ufffd'")
  })

  test("tells what the system refused by its path and in words", async () => {
    const error: unknown = await readFile("/etc/passwd/x").catch((reason: unknown) => reason)
    expect(failureText(error, {})).toBe("/etc/passwd/x: a part of the path is a file, not a folder")
  })

  test.each([
    ["a defect", DEFECT],
    ["one behind another error", new ModelLoadFailed("m", "an internal error", DEFECT)],
    ["one of a worker", fromWire(new InternalError("internal error", DEFECT).toWire())],
  ])("tells of %s only the file that has its trace", (_what, error) => {
    using home = tempFolder()
    const text = failureText(error, { XLLM_HOME: home.path })
    const path = join(home.path, "errors.log")
    expect(text).toEndWith(`internal error; its details are in ${path}; please report it with them`)
    expect(text).not.toContain("uG")
    const kept = readFileSync(path, "utf8")
    expect(kept).toContain("evaluating 'uG.x'")
    expect(kept).toContain("failure.test.ts")
  })

  test("keeps traces in the temporary folder where its home cannot be written", () => {
    using home = tempFolder()
    const file = join(home.path, "file")
    writeFileSync(file, "")
    expect(failureText(DEFECT, { XLLM_HOME: file })).toContain(
      `its details are in ${join(tmpdir(), "xllm-errors.log")}`,
    )
  })

  test("begins the file of traces anew when it is large", () => {
    using home = tempFolder()
    const path = join(home.path, "errors.log")
    writeFileSync(path, "x".repeat(2 * 1024 ** 2))
    failureText(DEFECT, { XLLM_HOME: home.path })
    expect(readFileSync(path, "utf8")).not.toContain("xx")
  })
})

describe("a stream that cannot be used", () => {
  test("is told in one line where output has no space left", async () => {
    const child = Bun.spawn([process.execPath, "src/index.ts", "licenses"], {
      env: {},
      stdin: "ignore",
      stdout: openSync("/dev/full", "w"),
      stderr: "pipe",
    })
    expect(await child.stderr.text()).toBe("Error: cannot write standard output: no space left on the disk\n")
    expect(await child.exited).toBe(1)
  })

  test.each([[["keys", "add", "-"]], [["create", "m", "-f", "-"]], [["import", "-"]]])(
    "is told in one line where %p reads a folder",
    async (argv) => {
      using home = tempFolder()
      const child = Bun.spawn([process.execPath, "src/index.ts", ...argv], {
        env: { XLLM_HOME: home.path },
        stdin: openSync(home.path, "r"),
        stdout: "pipe",
        stderr: "pipe",
      })
      const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()])
      expect({ out, err }).toEqual({
        out: "",
        err: "Error: cannot read standard input: it is a folder, not a file\n",
      })
      expect(await child.exited).toBe(1)
    },
  )
})
