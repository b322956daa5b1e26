import { expect, test } from "bun:test"
import { readdir, readFile, writeFile } from "node:fs/promises"
import { systemCode, systemReason } from "../../../src/lib/system/system-reason"

async function failure(attempt: () => Promise<unknown>): Promise<unknown> {
  return await attempt().then(
    () => undefined,
    (error: unknown) => error,
  )
}

test("an error of the system has a code and a reason in words", async () => {
  const cases: readonly [() => Promise<unknown>, string, string][] = [
    [() => readFile("/no/such/file"), "ENOENT", "no such file or folder"],
    [() => readFile("/tmp"), "EISDIR", "it is a folder, not a file"],
    [() => readFile("/etc/passwd/x"), "ENOTDIR", "a part of the path is a file, not a folder"],
    [() => readdir("/etc/passwd"), "ENOTDIR", "it is not a folder"],
    [() => readFile(`/tmp/${"a".repeat(300)}`), "ENAMETOOLONG", "the name is too long"],
    [() => writeFile("/dev/full", "x"), "ENOSPC", "no space left on the disk"],
    [() => Bun.file("/tmp").bytes(), "EISDIR", "it is a folder, not a file"],
    [() => fetch("http://127.0.0.1:1/"), "ECONNREFUSED", "nothing listens there"],
  ]
  for (const [attempt, code, reason] of cases) {
    const error = await failure(attempt)
    expect([systemCode(error), systemReason(error)]).toEqual([code, reason])
  }
})

test("an error without a code, or with one that is not known, has no reason", () => {
  expect(systemReason(new Error("something"))).toBeUndefined()
  expect(systemReason(Object.assign(new Error("x"), { code: "constructor" }))).toBeUndefined()
  expect(systemReason("ENOENT")).toBeUndefined()
})
