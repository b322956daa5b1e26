import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { closeSync, openSync } from "node:fs"
import { join } from "node:path"
import type { MemoryFootprint } from "../../../../src/domain/device"
import type { KvPlan } from "../../../../src/domain/settings"
import { Batch } from "../../../../src/llama/batch"
import { Library } from "../../../../src/llama/library"
import { Model } from "../../../../src/llama/model"
import { locateLlama } from "../../../../src/native/llama-files"
import type { KvState, MemoryGrant } from "../../../../src/protocol/messages"
import type { PoolDemand, PoolShape } from "../../../../src/worker/text/cache/growth"
import { KvCache } from "../../../../src/worker/text/cache/kv-cache"
import type { Slot } from "../../../../src/worker/text/cache/slots"
import { ContextFactory } from "../../../../src/worker/text/growth/context-factory"
import { ContextLost, PoolGrowth } from "../../../../src/worker/text/growth/pool-growth"
import { StepOutbox } from "../../../../src/worker/text/output/step-outbox"
import type { Runtime } from "../../../../src/worker/text/runtime"
import { ThreadGovernor } from "../../../../src/worker/text/threads"
import { writeTinyModel } from "../../../support/files/tiny-model"
import { growingPlan } from "../../../support/growing-plan"
import { EXACT_SETTINGS } from "../../../support/real/real-worker"
import { tempFolder } from "../../../support/temp-folder"
import { until } from "../../../support/until"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const folder = tempFolder()
const devNull = openSync("/dev/null", "w")
let model: Model

beforeAll(async () => {
  const files = await locateLlama("/nonexistent")
  const library = Library.open(files, { useGpu: false, logDescriptor: devNull, logLevel: 4 })
  const loaded = Model.load(library, writeTinyModel(join(folder.path, "tiny.gguf")).path, EXACT_SETTINGS)
  if (loaded === undefined) throw new Error("llama.cpp refused the model")
  model = loaded
})
afterAll(() => {
  model[Symbol.dispose]()
  folder[Symbol.dispose]()
  closeSync(devNull)
})

/** A pool with a server that answers as it is told, and a clock that stands still. */
class Scene implements Disposable {
  readonly runtime: Runtime
  readonly growth: PoolGrowth
  readonly asked: { readonly extra: MemoryFootprint; readonly least: MemoryFootprint }[] = []
  readonly held: KvState[] = []
  readonly left: number[] = []
  readonly counters = new StepOutbox(() => {}).counters
  grant: MemoryGrant = "all"
  now = 0
  #isRefused = false
  /** Contexts that cannot be made. */
  refuses = (_: PoolShape): boolean => false

  constructor(plan: Partial<KvPlan> = {}) {
    const kv = growingPlan({ slots: 4, contextLength: 2048, ...plan })
    const contexts = new ContextFactory({
      model,
      adapters: [],
      options: {
        ...EXACT_SETTINGS,
        batchTokens: 2048,
        microBatchTokens: 512,
        outputs: 8,
        decodeThreads: 1,
        prefillThreads: 1,
      },
    })
    const context = contexts.create(kv)
    if (context === undefined) throw new Error("llama.cpp refused the context")
    const threads = new ThreadGovernor(
      { decode: 1, prefill: 1 },
      () => this.now,
      () => undefined,
    )
    this.runtime = { context, cache: new KvCache(context, model), threads }
    this.growth = new PoolGrowth({
      runtime: this.runtime,
      contexts: {
        create: (shape) => (this.refuses(shape) ? undefined : contexts.create(shape)),
        begin: (shape) => {
          this.#isRefused = this.refuses(shape)
          return contexts.begin(shape)
        },
        take: (pending) => {
          if (!this.#isRefused) return contexts.take(pending)
          pending.cancel()
          return undefined
        },
        exchangesStates: (a, b) => contexts.exchangesStates(a, b),
      },
      memory: {
        ask: (extra, least) => {
          this.asked.push({ extra, least })
          return Promise.resolve(this.grant)
        },
        holds: (state) => void this.held.push(state),
      },
      plan: kv,
      footprintOf: (bytes) => ({ ramBytes: bytes, devices: [] }),
      counters: this.counters,
      now: () => this.now,
    })
  }

  slot(index: number): Slot {
    const slot = this.runtime.cache.slots[index]
    if (slot === undefined) throw new Error(`there is no slot ${index}`)
    return slot
  }

  /** Computes tokens in a slot, which is idle then. */
  cache(index: number, first: number, length: number): void {
    const { cache, context } = this.runtime
    const slot = this.slot(index)
    const tokens = Array.from({ length }, (_, place) => 265 + ((first + place * 7) % 200))
    cache.nextStep()
    cache.occupy({ slot, source: slot, keep: 0 }, { tokens, cacheKey: "", media: [] })
    const batch = new Batch(2048, 4)
    tokens.forEach((token, place) => batch.add(token, place, slot.id, false))
    expect(context.decode(batch)).toBe("done")
    cache.advance(slot, length)
    cache.release(slot)
  }

  /** Runs steps until no growth is under way. */
  async settle(demand: PoolDemand): Promise<void> {
    this.growth.update(() => demand)
    await until(() => {
      this.growth.update(() => demand)
      return !this.growth.underway
    })
  }

  [Symbol.dispose](): void {
    this.runtime.context[Symbol.dispose]()
  }
}

const LONG: PoolDemand = { sequences: 1, longest: 1000, longestIdle: 0, pooled: 1500 }

test("nothing is asked for while all fits", () => {
  using scene = new Scene()
  scene.growth.update(() => ({ sequences: 4, longest: 256, longestIdle: 0, pooled: 1024 }))
  expect([scene.growth.underway, scene.asked]).toEqual([false, []])
})

test("the memory is asked for that a growth takes at its peak, with the copy", async () => {
  using scene = new Scene()
  scene.cache(0, 1, 200)
  const copied = scene.runtime.context.wholeStateSize
  await scene.settle(LONG)
  const bytes = (cells: number, perSequence: number) => cells * 512 + perSequence * 512 * 4 + 1000
  expect(scene.asked).toHaveLength(1)
  expect(scene.asked[0]?.extra.ramBytes).toBe(bytes(2048, 2048) + copied)
  expect(scene.asked[0]?.least.ramBytes).toBe(bytes(2048, 2048) - bytes(1024, 256) + 2 * copied)
  expect(scene.held).toEqual([{ layout: "unified", cells: 2048, sequences: 4, bytes: 2048 * 512 }])
  expect(scene.counters.kvGrowths).toBe(1)
  expect([scene.slot(0).length, scene.runtime.context.length(0)]).toEqual([200, 200])
})

test("what was refused is asked again after five seconds, not before", async () => {
  using scene = new Scene()
  scene.grant = "no"
  await scene.settle(LONG)
  await scene.settle(LONG)
  scene.now = 4999
  await scene.settle(LONG)
  expect(scene.asked).toHaveLength(2)
  expect(scene.held.at(-1)).toMatchObject({ layout: "split", cells: 1024 })
  scene.grant = "all"
  scene.now = 5000
  await scene.settle(LONG)
  expect(scene.asked).toHaveLength(3)
  expect(scene.held.at(-1)).toMatchObject({ layout: "unified", cells: 2048 })
})

const FOUR_SHORT: PoolDemand = { sequences: 4, longest: 250, longestIdle: 200, pooled: 1000 }

/** Runs so many steps in which nothing has to grow. */
function steps(scene: Scene, times: number, demand: PoolDemand): void {
  for (let step = 0; step < times; step++) scene.growth.update(() => demand)
}

test("one pool becomes shares again when many short conversations have run in it for a while", async () => {
  using scene = new Scene()
  await scene.settle(LONG)
  scene.cache(0, 1, 200)
  scene.cache(1, 2, 150)
  steps(scene, 63, FOUR_SHORT)
  // An idle prefix that is too long for a share would be lost, so the steps count anew.
  steps(scene, 1, { ...FOUR_SHORT, longestIdle: 1500 })
  steps(scene, 63, FOUR_SHORT)
  expect(scene.asked).toHaveLength(1)
  await scene.settle(FOUR_SHORT)
  expect(scene.asked).toHaveLength(2)
  expect(scene.held.at(-1)).toMatchObject({ layout: "split", cells: 1024, sequences: 4 })
  expect([0, 1].map((id) => scene.runtime.context.length(id))).toEqual([200, 150])
  expect(scene.counters.kvGrowths).toBe(1)
  steps(scene, 200, FOUR_SHORT)
  expect(scene.asked).toHaveLength(2)
})

test("it stays one pool where there is no memory for both at once", async () => {
  using scene = new Scene()
  await scene.settle(LONG)
  scene.grant = "least"
  steps(scene, 64, FOUR_SHORT)
  await scene.settle(FOUR_SHORT)
  expect(scene.asked).toHaveLength(2)
  expect(scene.held.at(-1)).toMatchObject({ layout: "unified", cells: 2048 })
})

test("where there is no memory for a pool twice as large, one that just suffices is asked for", async () => {
  using scene = new Scene()
  scene.grant = "no"
  await scene.settle(LONG)
  scene.grant = "all"
  await scene.settle(LONG)
  const [generous, frugal] = scene.asked.map(({ extra }) => extra.ramBytes)
  expect((generous ?? 0) - (frugal ?? 0)).toBe(512 * (512 + 2048))
  expect(scene.held.at(-1)).toMatchObject({ layout: "unified", cells: 1536 })
})

test("a context that was given up is made again where the larger one cannot be made", async () => {
  using scene = new Scene()
  scene.cache(0, 1, 200)
  scene.grant = "least"
  scene.refuses = (shape) => shape.cells > 1024
  await scene.settle(LONG)
  expect(scene.counters.kvGrowths).toBe(0)
  expect(scene.runtime.context.cells).toBe(1024)
  expect([scene.slot(0).length, scene.runtime.context.length(0)]).toEqual([200, 200])
})

test("where neither can be made it is as small as at first, and what was cached is computed anew", async () => {
  using scene = new Scene()
  await scene.settle(LONG)
  scene.cache(0, 1, 200)
  scene.cache(1, 1, 900)
  scene.grant = "least"
  scene.refuses = (shape) => shape.cells > 1024
  await scene.settle({ sequences: 1, longest: 2048, longestIdle: 0, pooled: 4000 })
  expect(scene.held.at(-1)).toMatchObject({ layout: "split", cells: 1024, sequences: 4 })
  expect([scene.slot(0).length, scene.slot(1).length]).toEqual([0, 0])
  scene.cache(0, 1, 200)
  expect(scene.runtime.context.length(0)).toBe(200)
})

test("where none can be made the context is lost", async () => {
  using scene = new Scene()
  scene.grant = "least"
  scene.refuses = () => true
  expect(await scene.settle(LONG).catch((error: unknown) => error)).toBeInstanceOf(ContextLost)
})

test("a pool that has grown becomes as small as at first, and keeps the newest prefixes that fit", async () => {
  using scene = new Scene()
  await scene.settle(LONG)
  scene.cache(0, 1, 100)
  scene.cache(1, 2, 900)
  scene.cache(2, 3, 200)
  scene.growth.shrink()
  expect(scene.held.at(-1)).toEqual({ layout: "split", cells: 1024, sequences: 4, bytes: 1024 * 512 })
  expect(scene.runtime.context.cells).toBe(1024)
  expect(scene.runtime.cache.slots.map(({ length }) => length)).toEqual([100, 0, 200, 0])
  expect([0, 1, 2].map((id) => scene.runtime.context.length(id))).toEqual([100, 0, 200])
})

test("one that has not grown stays as it is", () => {
  using scene = new Scene()
  scene.growth.shrink()
  expect(scene.held).toEqual([])
})
