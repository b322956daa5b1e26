import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { readdirSync, truncateSync } from "node:fs"
import { join } from "node:path"
import type { CompletionRequest } from "../../../../../src/domain/chat"
import type { TextModelSettings } from "../../../../../src/domain/settings"
import { writeTinyModel } from "../../../../support/files/tiny-model"
import { LAYOUTS, RealWorker } from "../../../../support/real/real-worker"
import { greedy, prose } from "../../../../support/requests"
import { tempFolder } from "../../../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

const { path } = writeTinyModel(join(folder.path, "tiny.gguf"))
let folders = 0

/** Workers of one model, one after the other, with one folder of prompts; none is kept by itself. */
function place(maxBytes = 1024 ** 3) {
  const prompts = join(folder.path, `kv${++folders}`)
  return {
    files: () => readdirSync(prompts).map((name) => join(prompts, name)),
    start: (settings: Partial<TextModelSettings> = {}) =>
      RealWorker.start(path, {
        settings: {
          slots: 4,
          contextLength: 2048,
          promptsOnDisk: { folder: prompts, maxBytes, minTokens: 100_000 },
          ...settings,
        },
      }),
  }
}

const LONG = 10_000

const inSlot = (slot: number, seed: number, more: Partial<CompletionRequest> = {}) =>
  greedy(prose(seed, 500), { maxTokens: 8, slot, ...more })

describe.each(LAYOUTS)("with the %s layout, a slot", (kvLayout) => {
  test("that was saved is restored in another process, by its name and into another slot", async () => {
    const { start } = place()
    await using first = await start({ kvLayout })
    const cold = await first.run(inSlot(3, 1))
    expect(cold.finish().slot).toBe(3)
    const { promptTokens } = cold.done.usage
    const saved = await first.slot({ action: "save", slot: 3, name: "a conversation.bin" })
    // The newest token of the answer has no cell yet.
    expect(saved.tokens).toBe(promptTokens + 7)
    expect(saved.bytes).toBeGreaterThan(saved.tokens * 4)
    await first.stop(LONG)
    await using second = await start({ kvLayout })
    const restored = await second.slot({ action: "restore", slot: 1, name: "a conversation.bin" })
    expect(restored).toMatchObject({ tokens: saved.tokens, bytes: saved.bytes })
    const warm = await second.run(inSlot(1, 1))
    expect(warm.done.usage.cachedTokens).toBe(promptTokens - 1)
    // It was in memory by then.
    expect(warm.done.timings.disk).toBeUndefined()
    expect(warm.said()).toBe(cold.said())
  })

  test("keeps its number and what it has while others are used", async () => {
    await using worker = await place().start({ kvLayout })
    const first = await worker.run(inSlot(2, 1))
    for (const seed of [2, 3]) expect((await worker.run(inSlot(0, seed))).finish().slot).toBe(0)
    expect(await worker.slot({ action: "erase", slot: 0 })).toMatchObject({ bytes: 0 })
    const again = await worker.run(inSlot(2, 1))
    expect(again.finish().slot).toBe(2)
    expect(again.done.usage.cachedTokens).toBe(first.done.usage.promptTokens - 1)
  })

  test("has a number below their count, whatever is asked for", async () => {
    await using worker = await place().start({ kvLayout })
    expect((await worker.run(inSlot(6, 1))).finish().slot).toBe(2)
    expect((await worker.run(inSlot(2_147_483_647, 1))).finish().slot).toBe(3)
    expect((await worker.run(inSlot(-1, 2))).finish().slot).toBeWithin(0, 4)
    expect((await worker.run(greedy("x", { maxTokens: 1 }))).finish().slot).toBeUndefined()
  })

  test("that is erased is evaluated again", async () => {
    await using worker = await place().start({ kvLayout })
    const { usage } = (await worker.run(inSlot(1, 1))).done
    expect((await worker.slot({ action: "erase", slot: 1 })).tokens).toBe(usage.promptTokens + 7)
    expect((await worker.slot({ action: "erase", slot: 1 })).tokens).toBe(0)
    expect((await worker.run(inSlot(1, 1))).done.usage.cachedTokens).toBe(0)
  })

  test("that is busy is waited for", async () => {
    await using worker = await place().start({ kvLayout })
    const running = worker.submit(inSlot(1, 1, { maxTokens: 60 }))
    await running.tokens(1)
    const saved = await worker.slot({ action: "save", slot: 1, name: "x" })
    expect(running.isOver).toBe(true)
    expect(saved.tokens).toBe(running.done.usage.promptTokens + 59)
  })

  test("that is busy is free when its request is cancelled, even if nothing else runs", async () => {
    await using worker = await place().start({ kvLayout })
    const running = worker.submit(inSlot(1, 1, { maxTokens: 1000 }))
    await running.tokens(1)
    const saving = worker.slot({ action: "save", slot: 1, name: "x" })
    worker.cancel(running)
    expect((await saving).tokens).toBeGreaterThan(0)
  })
})

test("a name stands for the newest prompt that was saved under it", async () => {
  const { start, files } = place()
  await using worker = await start()
  await worker.run(inSlot(0, 1))
  await worker.slot({ action: "save", slot: 0, name: "x" })
  await worker.run(inSlot(1, 2, { maxTokens: 30 }))
  const second = await worker.slot({ action: "save", slot: 1, name: "x" })
  expect(files()).toHaveLength(1)
  await worker.slot({ action: "erase", slot: 1 })
  expect(await worker.slot({ action: "restore", slot: 1, name: "x" })).toMatchObject({
    tokens: second.tokens,
  })
})

test("owners see only their own prompts, under names of their own", async () => {
  const { start, files } = place()
  await using worker = await start()
  await worker.run(inSlot(0, 1, { cacheOwner: "a" }))
  await worker.run(inSlot(1, 2, { cacheOwner: "b" }))
  const save = (slot: number, cacheOwner: string) =>
    worker.slot({ action: "save", slot, name: "x", cacheOwner })
  await save(0, "a")
  await save(1, "b")
  expect(files()).toHaveLength(2)
  await expect(save(0, "b")).rejects.toThrow("there is nothing in slot 0")
  expect(await worker.slot({ action: "erase", slot: 0, cacheOwner: "b" })).toMatchObject({ tokens: 0 })
  const restored = worker.slot({ action: "restore", slot: 2, name: "x", cacheOwner: "c" })
  await expect(restored).rejects.toThrow("no prompt of this model is saved as 'x'")
})

describe("is refused:", () => {
  test("to save what is empty, to restore what is not there or damaged, and slots that do not exist", async () => {
    const { start, files } = place()
    await using worker = await start()
    const save = worker.slot({ action: "save", slot: 0, name: "x" })
    await expect(save).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining("nothing in slot 0"),
    })
    const missing = worker.slot({ action: "restore", slot: 0, name: "../x" })
    await expect(missing).rejects.toMatchObject({ status: 400, code: "slot_not_restored" })
    const beyond = worker.slot({ action: "erase", slot: 4 })
    await expect(beyond).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining("Invalid slot ID"),
    })
    await worker.run(inSlot(0, 1))
    const { bytes } = await worker.slot({ action: "save", slot: 0, name: "x" })
    truncateSync(files()[0] ?? "", bytes - 1)
    const damaged = worker.slot({ action: "restore", slot: 0, name: "x" })
    await expect(damaged).rejects.toMatchObject({ code: "slot_not_restored" })
    expect(files()).toEqual([])
  })

  test("to save more than all prompts on disk may have", async () => {
    const { start, files } = place(1000)
    await using worker = await start()
    await worker.run(inSlot(0, 1))
    const save = worker.slot({ action: "save", slot: 0, name: "x" })
    await expect(save).rejects.toMatchObject({ status: 500, code: "slot_not_saved" })
    expect(files()).toEqual([])
  })

  test("to save and to restore where prompts are not kept on disk, but not to erase", async () => {
    await using worker = await RealWorker.start(path, { settings: { slots: 4, contextLength: 2048 } })
    for (const action of ["save", "restore"] as const)
      await expect(worker.slot({ action, slot: 0, name: "x" })).rejects.toMatchObject({ status: 501 })
    expect(await worker.slot({ action: "erase", slot: 0 })).toMatchObject({ tokens: 0 })
  })
})
