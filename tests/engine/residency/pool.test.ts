import { expect, test } from "bun:test"
import type { MemoryLimits } from "../../../src/engine/contract"
import { MIB, MINUTES, PoolBench } from "../../support/pool-bench"

/** Room for two. */
const TWO: Partial<MemoryLimits> = { limitBytes: 2500 * MIB }

test("what is wanted is loaded once, however often it is wanted", () => {
  const bench = new PoolBench()
  bench.want("a")
  bench.want("a")
  expect(bench.settle()).toEqual(["load a"])
  bench.want("a")
  bench.pool.ready(bench.at("a"), { ramBytes: 1, devices: [] })
  bench.want("a")
  expect(bench.settle()).toEqual([])
})

test("of three where two fit the least recently used idle one goes, and the load begins when it is gone", () => {
  const bench = new PoolBench(TWO)
  bench.loaded("a")
  bench.loaded("b")
  bench.pool.busy(bench.at("a"))
  bench.pool.idle(bench.at("a"), 5 * MINUTES)
  bench.want("c")
  expect(bench.settle()).toEqual(["unload b: memory"])
  bench.pool.ended(bench.at("b"))
  expect(bench.settle()).toEqual(["load c"])
})

test("busy ones stay; the newcomer waits, the one it waits for takes nothing new, and goes when it is idle", () => {
  const bench = new PoolBench(TWO)
  bench.loaded("a")
  bench.loaded("b")
  bench.pool.busy(bench.at("a"))
  bench.pool.busy(bench.at("b"))
  bench.want("c")
  expect(bench.settle()).toEqual(["c waits", "hold a"])
  bench.pool.idle(bench.at("a"), 5 * MINUTES)
  expect(bench.settle()).toEqual(["unload a: memory"])
  bench.pool.ended(bench.at("a"))
  expect(bench.settle()).toEqual(["load c"])
})

test("when the one that waits gives up nobody is held back any more", () => {
  const bench = new PoolBench({ maxModels: 1 })
  bench.loaded("a")
  bench.pool.busy(bench.at("a"))
  bench.want("b")
  expect(bench.settle()).toEqual(["b waits", "hold a"])
  bench.pool.unwant(bench.at("b"))
  expect(bench.settle()).toEqual(["release a"])
})

test("the estimate counts until the load is measured, then the measured size does", () => {
  const bench = new PoolBench(TWO)
  bench.want("a")
  expect(bench.settle()).toEqual(["load a"])
  expect(bench.pool.footprintOf(bench.at("a"))?.ramBytes).toBe(1000 * MIB)
  bench.pool.ready(bench.at("a"), { ramBytes: 2000 * MIB, devices: [] })
  bench.pool.idle(bench.at("a"), null)
  bench.want("b")
  expect(bench.settle()).toEqual(["unload a: memory"])
})

test("what a worker is found to take later counts from then on, for a decision that waits too", () => {
  const bench = new PoolBench(TWO)
  bench.loaded("a")
  bench.pool.busy(bench.at("a"))
  bench.pool.remeasured(bench.at("a"), { ramBytes: 2000 * MIB, devices: [] })
  expect(bench.pool.footprintOf(bench.at("a"))?.ramBytes).toBe(2000 * MIB)
  bench.want("b")
  expect(bench.settle()).toEqual(["b waits", "hold a"])
  bench.pool.remeasured(bench.at("a"), { ramBytes: 1200 * MIB, devices: [] })
  expect(bench.settle()).toEqual(["load b", "release a"])
  bench.pool.remeasured(bench.at("gone"), { ramBytes: 1, devices: [] })
  expect(bench.pool.footprintOf(bench.at("gone"))).toBeUndefined()
})

test("two that are wanted at once do not both take the same room", () => {
  const bench = new PoolBench({ limitBytes: 1500 * MIB })
  bench.want("a")
  bench.want("b")
  expect(bench.settle()).toEqual(["load a", "b waits"])
})

test("of those that wait the higher priority is first, then the one that came first", () => {
  const bench = new PoolBench({ maxModels: 1 })
  bench.settings["high"] = { priority: "high" }
  bench.loaded("a")
  bench.pool.busy(bench.at("a"))
  for (const model of ["b", "c", "high"]) bench.want(model)
  bench.settle()
  bench.pool.idle(bench.at("a"), null)
  bench.settle()
  bench.pool.ended(bench.at("a"))
  expect(bench.settle()[0]).toBe("load high")
})

test("what fits beside all goes ahead of one that waits", () => {
  const bench = new PoolBench(TWO)
  for (const model of ["a", "b"]) {
    bench.loaded(model)
    bench.pool.busy(bench.at(model))
  }
  bench.want("c")
  bench.want("small")
  bench.want("d")
  expect(bench.settle()).toEqual(["c waits", "hold a", "c waits", "load small"])
})

test("a model that nobody uses goes when its time is over, and not before", () => {
  const bench = new PoolBench()
  bench.loaded("a", 5 * MINUTES)
  expect(bench.wakeAt).toBe(5 * MINUTES)
  bench.now = 5 * MINUTES - 1
  bench.pool.tick()
  expect(bench.done).toEqual([])
  bench.now = 5 * MINUTES
  bench.pool.tick()
  expect(bench.done).toEqual(["unload a: idle"])
  expect(bench.wakeAt).toBeUndefined()
})

test("its time begins anew with each use, and does not run while it is used", () => {
  const bench = new PoolBench()
  bench.loaded("a", 5 * MINUTES)
  bench.pool.busy(bench.at("a"))
  expect(bench.wakeAt).toBeUndefined()
  bench.now = 60 * MINUTES
  bench.pool.tick()
  bench.pool.idle(bench.at("a"), 5 * MINUTES)
  expect(bench.done).toEqual([])
  expect(bench.wakeAt).toBe(65 * MINUTES)
  expect(bench.pool.expiresAt(bench.at("a"))).toBe(65 * MINUTES)
})

test("a keep-alive of nothing ends it with its last request, one of null never, and pinned ones stay", () => {
  const bench = new PoolBench()
  bench.settings["pinned"] = { pinned: true }
  bench.loaded("never", null)
  bench.loaded("pinned", 0)
  bench.loaded("now", 0)
  expect(bench.done).toEqual(["unload now: idle"])
  expect(bench.wakeAt).toBeUndefined()
})

test("a keep-alive that is changed counts from the last use", () => {
  const bench = new PoolBench()
  bench.loaded("a", null)
  bench.now = 10 * MINUTES
  bench.pool.keepFor(bench.at("a"), 15 * MINUTES)
  expect(bench.wakeAt).toBe(15 * MINUTES)
  bench.pool.keepFor(bench.at("a"), 5 * MINUTES)
  expect(bench.done).toEqual(["unload a: idle"])
})

test("one that is wanted while it ends is loaded when it is gone", () => {
  const bench = new PoolBench()
  bench.loaded("a")
  bench.pool.stop(bench.at("a"), "stopped")
  bench.want("a")
  expect(bench.settle()).toEqual(["unload a: stopped"])
  bench.pool.ended(bench.at("a"))
  expect(bench.settle()).toEqual(["load a"])
})

test("a stop that comes then takes the want back", () => {
  const bench = new PoolBench()
  bench.loaded("a")
  bench.pool.stop(bench.at("a"), "stopped")
  bench.want("a")
  bench.pool.stop(bench.at("a"), "stopped")
  bench.pool.ended(bench.at("a"))
  expect(bench.settle()).toEqual(["unload a: stopped"])
})

test("a further replica is loaded where there is room, but nobody goes or waits for it", () => {
  const bench = new PoolBench(TWO)
  bench.loaded("a")
  bench.want("b")
  bench.want("b", 2)
  expect(bench.settle()).toEqual(["load b", "decline b#2"])
  bench.pool.stop(bench.at("a"), "stopped")
  bench.pool.ended(bench.at("a"))
  bench.want("b", 2)
  expect(bench.settle()).toEqual(["unload a: stopped", "load b#2"])
})

test("a model that cannot be described is refused, and does not hold up the others", () => {
  const bench = new PoolBench()
  bench.want("broken")
  bench.want("a")
  expect(bench.settle(["broken"])).toEqual(["refuse broken: invalid_model_file", "load a"])
  bench.want("broken")
  expect(bench.settle()).toEqual(["load broken"])
})

test("what can never fit is refused", () => {
  const bench = new PoolBench({ limitBytes: 500 * MIB })
  bench.want("a")
  expect(bench.settle()).toEqual(["refuse a: not_enough_memory"])
  bench.pool.setLimits({ headroomBytes: 0 })
  bench.want("a")
  expect(bench.settle()).toEqual(["load a"])
})

test("after the end everything is unloaded and nothing is loaded", () => {
  const bench = new PoolBench()
  bench.loaded("a")
  bench.want("b")
  bench.pool.close()
  bench.want("c")
  expect(bench.settle()).toEqual(["unload a: shutdown"])
})

test("what is retired goes once it is free, without a look at its keep-alive or pin", () => {
  const bench = new PoolBench()
  bench.settings["b"] = { pinned: true }
  for (const model of ["a", "b"]) bench.loaded(model, null)
  bench.pool.busy(bench.at("b"))
  bench.pool.retire(bench.at("a"))
  bench.pool.retire(bench.at("b"))
  expect(bench.settle()).toEqual(["unload a: replaced"])
  bench.pool.idle(bench.at("b"), null)
  expect(bench.settle()).toEqual(["unload b: replaced"])
})

test("a load that is retired is ended, and one that waits for room is given up", () => {
  const bench = new PoolBench({ limitBytes: 1500 * MIB })
  bench.want("a")
  bench.settle()
  bench.want("b")
  bench.settle()
  bench.pool.retire(bench.at("b"))
  bench.pool.retire(bench.at("a"))
  expect(bench.settle()).toEqual(["unload a: replaced"])
  bench.pool.ended(bench.at("a"))
  expect(bench.settle()).toEqual([])
})

test("what is retired and busy does not keep its pin against a newcomer", () => {
  const bench = new PoolBench({ limitBytes: 1500 * MIB })
  bench.settings["a"] = { pinned: true }
  bench.loaded("a")
  bench.pool.busy(bench.at("a"))
  bench.want("b")
  expect(bench.settle()).toEqual(["refuse b: not_enough_memory"])
  bench.pool.retire(bench.at("a"))
  bench.want("b")
  expect(bench.settle()).toEqual(["b waits", "hold a"])
})
