import { expect, test } from "bun:test"
import { MIB, MINUTES, PoolBench } from "../../support/pool-bench"

/** What is granted is in addition to the 1,000 MiB of each model. */
const LIMIT = 4000

function benchWith(...models: readonly string[]): PoolBench {
  const bench = new PoolBench({ limitBytes: LIMIT * MIB })
  for (const model of models) bench.loaded(model)
  return bench
}

function footprint(bench: PoolBench, id: string): number {
  return (bench.pool.footprintOf(bench.at(id))?.ramBytes ?? 0) / MIB
}

test("what fits is granted at once, and counts until the worker reports what it holds", () => {
  const bench = benchWith("a")
  bench.pool.busy(bench.at("a"))
  bench.ask("a", 1500)
  expect(bench.settle()).toEqual(["grant a: 0"])
  expect(footprint(bench, "a")).toBe(2500)
  bench.pool.remeasured(bench.at("a"), { ramBytes: 1800 * MIB, devices: [] })
  expect(footprint(bench, "a")).toBe(1800)
})

test("two that grow at once never count on the same memory", () => {
  const bench = benchWith("a", "b")
  for (const id of ["a", "b"]) bench.pool.busy(bench.at(id))
  bench.ask("a", 1500)
  bench.ask("b", 1500)
  expect(bench.settle()).toEqual(["grant a: 0", "no b"])
  // The readings still show what was granted as free.
  bench.ask("b", 1000)
  expect(bench.settle()).toEqual(["no b"])
  bench.ask("b", 500)
  expect(bench.settle()).toEqual(["grant b: 0"])
})

test("without a limit the machine's memory is one: what was granted is not in its readings yet", () => {
  const bench = new PoolBench()
  for (const id of ["a", "b"]) {
    bench.loaded(id)
    bench.pool.busy(bench.at(id))
  }
  bench.availableMiB = 2000
  bench.ask("a", 1500)
  bench.ask("b", 1500)
  expect(bench.settle()).toEqual(["grant a: 0", "no b"])
  bench.pool.remeasured(bench.at("a"), { ramBytes: 2500 * MIB, devices: [] })
  bench.availableMiB = 500
  bench.ask("b", 600)
  expect(bench.settle()).toEqual(["no b"])
  bench.ask("b", 400)
  expect(bench.settle()).toEqual(["grant b: 0"])
})

test("an idle model goes for one that grows: the lowest priority first, then the one used longest ago", () => {
  const bench = benchWith("old", "low", "a")
  bench.settings["low"] = { priority: "low" }
  bench.pool.busy(bench.at("a"))
  bench.ask("a", 1500)
  expect(bench.settle()).toEqual(["unload low: memory"])
  bench.pool.ended(bench.at("low"))
  expect(bench.settle()).toEqual(["grant a: 0"])
  bench.pool.remeasured(bench.at("a"), { ramBytes: 2500 * MIB, devices: [] })
  bench.ask("a", 1000)
  expect(bench.settle()).toEqual(["unload old: memory"])
  bench.pool.ended(bench.at("old"))
  expect(bench.settle()).toEqual(["grant a: 0"])
})

test("neither a busy nor a pinned model goes, nor the one that asks", () => {
  const bench = benchWith("busy", "pinned", "a")
  bench.settings["pinned"] = { pinned: true }
  bench.pool.busy(bench.at("busy"))
  bench.ask("a", 1500)
  expect(bench.settle()).toEqual(["no a"])
  bench.pool.idle(bench.at("busy"), 5 * MINUTES)
  bench.ask("a", 1500)
  expect(bench.settle()).toEqual(["unload busy: memory"])
})

test("nobody goes for what is refused in the end, nor for what fits without", () => {
  const bench = benchWith("idle", "a")
  bench.pool.busy(bench.at("a"))
  bench.ask("a", 9000)
  bench.ask("a", 2000)
  expect(bench.settle()).toEqual(["no a", "grant a: 0"])
})

test("the way that needs less is granted where the better one cannot be had", () => {
  const bench = benchWith("a")
  bench.pool.busy(bench.at("a"))
  bench.ask("a", 5000, 2000)
  expect(bench.settle()).toEqual(["grant a: 1"])
  expect(footprint(bench, "a")).toBe(3000)
})

test("a model that ends takes back what it asked for, and gives back what it was granted once it is gone", () => {
  const bench = benchWith("a", "b")
  for (const id of ["a", "b"]) bench.pool.busy(bench.at(id))
  bench.ask("a", 2000)
  expect(bench.settle()).toEqual(["grant a: 0"])
  // A crash.
  bench.pool.ending(bench.at("a"))
  bench.ask("b", 2000)
  expect(bench.settle()).toEqual([])
  bench.pool.ended(bench.at("a"))
  expect(bench.settle()).toEqual(["grant b: 0"])
  bench.ask("b", 9000)
  bench.pool.ending(bench.at("b"))
  expect(bench.settle()).toEqual([])
  bench.pool.ended(bench.at("b"))
  expect(bench.pool.residents()).toEqual([])
})

test("a load does not take what a growth was granted, and unloads nothing that grows", () => {
  const bench = benchWith("a")
  bench.pool.busy(bench.at("a"))
  bench.ask("a", 2500)
  bench.settle()
  bench.want("b")
  expect(bench.settle()).toEqual(["b waits", "hold a"])
  bench.pool.remeasured(bench.at("a"), { ramBytes: 2900 * MIB, devices: [] })
  expect(bench.settle()).toEqual(["load b", "release a"])
})

test("a growth is decided on before a load that was wanted earlier: what runs ends the sooner", () => {
  const bench = benchWith("a")
  bench.pool.busy(bench.at("a"))
  bench.want("b")
  bench.ask("a", 2500)
  // The first measurement was for the load alone.
  expect(bench.settle()).toEqual(["load b", "no a"])
  bench.ask("a", 2000)
  bench.want("c")
  expect(bench.settle()).toEqual(["grant a: 0", "c waits", "hold a"])
})

test("memory of GPUs is granted device by device", () => {
  const bench = new PoolBench()
  bench.gpus = [{ name: "G0", totalBytes: 8000 * MIB, freeBytes: 3000 * MIB }]
  bench.loaded("a")
  bench.pool.busy(bench.at("a"))
  const onGpu = (name: string, bytes: number) => ({ ramBytes: 0, devices: [{ name, bytes: bytes * MIB }] })
  bench.ask("a", onGpu("G0", 2000))
  expect(bench.settle()).toEqual(["grant a: 0"])
  bench.ask("a", onGpu("G0", 2000))
  bench.ask("a", onGpu("G1", 1))
  expect(bench.settle()).toEqual(["no a", "no a"])
})

test("a job that is no model holds memory until it releases it, and loads wait for it", () => {
  const bench = benchWith("idle", "a")
  bench.pool.busy(bench.at("a"))
  const job = bench.pool.reserve({
    priority: "normal",
    amounts: [{ ramBytes: 2500 * MIB, devices: [] }],
    decided: (amount) => bench.done.push(`job ${amount}`),
  })
  expect(bench.settle()).toEqual(["unload idle: memory"])
  bench.pool.ended(bench.at("idle"))
  expect(bench.settle()).toEqual(["job 0"])
  bench.want("b")
  expect(bench.settle()).toEqual(["b waits"])
  job.release()
  job.release()
  expect(bench.settle()).toEqual(["load b"])
})
