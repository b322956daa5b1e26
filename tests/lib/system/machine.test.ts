import { expect, test } from "bun:test"
import { cpus } from "node:os"
import { machine } from "../../../src/lib/system/machine"

test("the machine names its system and processor, and no more usable cores than it has", () => {
  const { system, processor, cores, usableCores } = machine()
  expect(system).toMatch(/^\w+ \d/)
  expect(processor).not.toBe("")
  expect(cores).toBe(cpus().length)
  expect(usableCores).toBeGreaterThan(0)
  expect(usableCores).toBeLessThanOrEqual(cores)
})
