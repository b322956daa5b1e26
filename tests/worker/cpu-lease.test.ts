import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { CpuLease } from "../../src/worker/cpu-lease"
import { tempFolder } from "../support/temp-folder"

const TAKER = join(import.meta.dir, "../support/lease-holder.ts")

function spawnTaker(...args: string[]) {
  return Bun.spawn([process.execPath, TAKER, ...args], { stdin: "pipe", stdout: "pipe", stderr: "inherit" })
}

async function firstLine(child: ReturnType<typeof spawnTaker>): Promise<void> {
  const reader = child.stdout.getReader()
  await reader.read()
  reader.releaseLock()
}

test("alone, a turn is there at once, and nobody is in the way", async () => {
  using folder = tempFolder()
  const turns = new CpuLease(folder.path)
  for (let step = 0; step < 10; step++) {
    expect(turns.tryTake()).toBe(true)
    turns.giveBack()
  }
  expect(turns.contended).toBe(false)
})

test("a holder that is killed gives its turn back", async () => {
  using folder = tempFolder()
  const holder = spawnTaker(folder.path, "holder", "0", "")
  await firstLine(holder)
  const turns = new CpuLease(folder.path)
  expect(turns.tryTake()).toBe(false)
  const waiting = turns.wait()
  expect(turns.contended).toBe(true)
  holder.kill("SIGKILL")
  await waiting
  turns.giveBack()
})

test("three processes that want every turn have as many each, while all of them want one", async () => {
  using folder = tempFolder()
  const log = join(folder.path, "log")
  const takers = ["a", "b", "c"].map((name) => spawnTaker(folder.path, name, "100", log))
  await Promise.all(takers.map(firstLine))
  for (const taker of takers) {
    taker.stdin.write("go\n")
    taker.stdin.end()
  }
  expect(await Promise.all(takers.map((taker) => taker.exited))).toEqual([0, 0, 0])
  const order = readFileSync(log, "utf8")
  expect(order).toHaveLength(300)
  // From when the last one began until the first one was done.
  const begins = Math.max(...["a", "b", "c"].map((name) => order.indexOf(name)))
  const ends = Math.min(...["a", "b", "c"].map((name) => order.lastIndexOf(name)))
  const contended = order.slice(begins, ends)
  expect(contended.length).toBeGreaterThan(50)
  for (const name of ["a", "b", "c"]) {
    const share = contended.split(name).length - 1
    expect(share / contended.length).toBeGreaterThan(0.2)
  }
})
