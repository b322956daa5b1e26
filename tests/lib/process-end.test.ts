import { expect, test } from "bun:test"
import { ProcessEnd } from "../../src/lib/process-end"

function described(signal: string | null, kills: readonly (number | undefined)[], isOurs = false): string {
  const counts = [...kills]
  return new ProcessEnd(() => counts.shift()).describe({
    exitCode: signal === null ? 7 : null,
    signal,
    isOurs,
  })
}

test("an end is told by its exit code or its signal", () => {
  expect(described(null, [0, 0])).toBe("ended with exit code 7")
  expect(described("SIGSEGV", [0, 1])).toBe("was terminated by SIGSEGV")
})

test.each([
  [
    "the kernel has counted a kill for want of memory",
    [3, 4],
    " because the machine or its container ran out of memory",
  ],
  ["it has counted none", [3, 3], " by another process; the kernel reports no lack of memory"],
  ["it does not tell", [undefined, undefined], ", probably because the machine ran out of memory"],
] as const)("SIGKILL is told with its likely reason where %s", (_where, kills, why) => {
  expect(described("SIGKILL", kills)).toBe(`was killed (SIGKILL)${why}`)
})

test("a kill of our own needs no reason", () => {
  expect(described("SIGKILL", [undefined, undefined], true)).toBe("was killed (SIGKILL)")
})
