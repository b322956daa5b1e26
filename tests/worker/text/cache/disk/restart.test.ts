import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { CompletionRequest } from "../../../../../src/domain/chat"
import type { TextModelSettings } from "../../../../../src/domain/settings"
import { expectAgreement } from "../../../../support/agreement"
import { writeTinyModel } from "../../../../support/files/tiny-model"
import { LAYOUTS, RealWorker, type Run } from "../../../../support/real/real-worker"
import { greedy, prose } from "../../../../support/requests"
import { tempFolder } from "../../../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

const { path } = writeTinyModel(join(folder.path, "tiny.gguf"))
let folders = 0

/** Workers of one model, one after the other, with one folder of prompts. */
function place() {
  const prompts = join(folder.path, `kv${++folders}`)
  return {
    prompts,
    files: () => readdirSync(prompts).map((name) => join(prompts, name)),
    start: (settings: Partial<TextModelSettings> = {}, model = path) =>
      RealWorker.start(model, {
        settings: {
          slots: 4,
          contextLength: 2048,
          promptsOnDisk: { folder: prompts, maxBytes: 1024 ** 3, minTokens: 64 },
          ...settings,
        },
      }),
  }
}

function judged(
  prompt: string | readonly number[],
  more: Partial<CompletionRequest> = {},
): CompletionRequest {
  return greedy(prompt, { maxTokens: 12, topLogprobs: 5, ...more })
}

const cachedOf = ({ done }: Run) => ({
  cached: done.usage.cachedTokens,
  disk: done.timings.disk?.tokens ?? 0,
})
const lengthOf = ({ done }: Run) => done.usage.promptTokens

const LONG = 10_000

function only<T>(list: readonly T[]): T {
  const [first] = list
  if (first === undefined || list.length > 1) throw new Error(`expected one, got ${list.length}`)
  return first
}

describe.each(LAYOUTS)("with the %s layout", (kvLayout) => {
  test.each(LAYOUTS)(
    "a prompt is not evaluated again after a restart, with the layout %s then",
    async (after) => {
      const { start, files } = place()
      await using first = await start({ kvLayout })
      const cold = await first.run(judged(prose(1, 600)))
      await first.stop(LONG)
      await using second = await start({ kvLayout: after, slots: 7 })
      const warm = await second.run(judged(prose(1, 600)))
      expect(cachedOf(warm)).toEqual({ cached: lengthOf(cold) - 1, disk: lengthOf(cold) - 1 })
      expect(warm.done.timings.promptTokens).toBe(1)
      expectAgreement(warm, cold)
      const { size } = statSync(only(files()))
      expect(second.disk).toEqual([expect.objectContaining({ hits: 1, misses: 0, bytesRead: size })])
      expect(second.errors).toEqual([])
    },
  )
})

test("a prompt that begins with one on disk goes on from there", async () => {
  const { start } = place()
  await using first = await start()
  await first.run(judged(`${prose(1, 600)} one`))
  const cold = await first.run(judged(`${prose(1, 600)} two`, { cachePrompt: false }))
  await first.stop(LONG)
  await using second = await start()
  const warm = await second.run(judged(`${prose(1, 600)} two`))
  expect(warm.done.timings.promptTokens).toBeLessThan(12)
  expect(cachedOf(warm).disk).toBe(cachedOf(warm).cached)
  expectAgreement(warm, cold)
})

test("answers are kept with their prompts, so a conversation goes on", async () => {
  const { start } = place()
  await using first = await start()
  const turn = await first.run(judged(prose(3, 600)))
  const { tokens } = await first.render(greedy(prose(3, 600)))
  await first.stop(LONG)
  await using second = await start()
  const longer = [...tokens, ...turn.logprobs().map(({ id }) => id), 300, 301]
  const next = await second.run(judged(longer))
  // Of the answer's last token there is no cell yet.
  expect(cachedOf(next).disk).toBe(tokens.length + 11)
})

test("several prompts that begin alike read the file once", async () => {
  const { start } = place()
  await using first = await start()
  await first.run(judged(prose(1, 600)))
  await first.stop(LONG)
  await using second = await start()
  const requests = [1, 2, 3, 4].map((end) => judged(`${prose(1, 600)} and ${end}`))
  const runs = await second.runAll(requests)
  expect(second.disk.reduce((sum, { misses }) => sum + misses, 0)).toBe(0)
  for (const run of runs) expect(run.done.timings.promptTokens).toBeLessThan(16)
})

describe("is not kept on disk:", () => {
  async function filesAfter(work: (worker: RealWorker) => Promise<unknown>, saveMs = LONG) {
    const { start, files } = place()
    await using worker = await start()
    await work(worker)
    await worker.stop(saveMs)
    return filesIn(files)
  }

  test("a prompt of a request without cache", async () => {
    const run = judged(prose(1, 600), { cachePrompt: false })
    expect(await filesAfter((worker) => worker.run(run))).toEqual([])
  })

  test("a short prompt", async () => {
    expect(await filesAfter((worker) => worker.run(judged("the cat sat")))).toEqual([])
  })

  test("anything where there is no time", async () => {
    expect(await filesAfter((worker) => worker.run(judged(prose(1, 600))), 0)).toEqual([])
  })

  test("what is there already", async () => {
    const { start, files } = place()
    for (let time = 0; time < 2; time++) {
      await using worker = await start()
      await worker.run(judged(prose(1, 600)))
      await worker.stop(LONG)
      expect(files()).toHaveLength(1)
      expect(worker.disk.some(({ bytesWritten }) => bytesWritten > 0)).toBe(time === 0)
    }
  })
})

function filesIn(files: () => readonly string[]): readonly string[] {
  try {
    return files()
  } catch {
    return []
  }
}

describe("is not read:", () => {
  /** What the second worker takes from the disk for the prompt that the first one has written. */
  async function readBy(
    request: Partial<CompletionRequest>,
    settings: Partial<TextModelSettings> = {},
    model = path,
  ): Promise<number> {
    const { start } = place()
    await using first = await start()
    await first.run(judged(prose(1, 600), { cacheSalt: "mine" }))
    await first.stop(LONG)
    await using second = await start(settings, model)
    const run = await second.run(judged(prose(1, 600), request))
    expect(second.errors).toEqual([])
    return cachedOf(run).disk
  }

  test("a prompt with another salt", async () => {
    expect(await readBy({ cacheSalt: "mine" })).toBeGreaterThan(100)
    expect(await readBy({ cacheSalt: "other" })).toBe(0)
    expect(await readBy({})).toBe(0)
    expect(await readBy({ cacheSalt: "mine", cacheOwner: "somebody" })).toBe(0)
  })

  test("for a request without cache", async () => {
    expect(await readBy({ cacheSalt: "mine", cachePrompt: false })).toBe(0)
  })

  test("by a model with another cache type, or another file of the same shape", async () => {
    expect(await readBy({ cacheSalt: "mine" }, { kvTypeK: "f16" })).toBe(0)
    const other = writeTinyModel(join(folder.path, "other.gguf"), { seed: 2 })
    expect(statSync(other.path).size).toBe(statSync(path).size)
    expect(await readBy({ cacheSalt: "mine" }, {}, other.path)).toBe(0)
  })
})

test("salts keep prefixes apart in memory too", async () => {
  const { start } = place()
  await using worker = await start()
  await worker.run(judged(prose(1, 600), { cacheSalt: "a" }))
  expect(cachedOf(await worker.run(judged(prose(1, 600), { cacheSalt: "b" })))).toEqual({
    cached: 0,
    disk: 0,
  })
  const again = await worker.run(judged(prose(1, 600), { cacheSalt: "a" }))
  expect(cachedOf(again).cached).toBe(lengthOf(again) - 1)
})

test("a prefix that makes way is kept only if it was used twice", async () => {
  const { start, files } = place()
  await using worker = await start({ slots: 1 })
  await worker.run(judged(prose(1, 600)))
  await worker.run(judged(prose(2, 600)))
  await worker.run(judged(prose(2, 600)))
  await worker.run(judged(prose(3, 600)))
  // From disk, or on its way there.
  const again = await worker.run(judged(prose(2, 600)))
  expect(cachedOf(again).cached).toBe(lengthOf(again) - 1)
  const first = await worker.run(judged(prose(1, 600)))
  expect(cachedOf(first).cached).toBeLessThan(4)
  await worker.stop(LONG)
  expect(files()).toHaveLength(2)
})

describe("a damaged file", () => {
  test.each([
    ["with a flipped bit", (bytes: Buffer) => bytes.fill((bytes[9000] ?? 0) ^ 4, 9000, 9001)],
    ["that is cut", (bytes: Buffer) => bytes.subarray(0, bytes.length - 1000)],
    ["without content", () => Buffer.alloc(0)],
  ])("%s is deleted, with a line in the log, and the answer is right", async (_name, damage) => {
    const { start, files } = place()
    await using first = await start()
    const cold = await first.run(judged(prose(1, 600)))
    await first.stop(LONG)
    const file = only(files())
    writeFileSync(file, damage(readFileSync(file)))
    await using second = await start()
    const warm = await second.run(judged(prose(1, 600)))
    expect(cachedOf(warm)).toEqual({ cached: 0, disk: 0 })
    expectAgreement(warm, cold)
    expect(files()).toEqual([])
    expect(second.errors).toEqual([expect.stringContaining(`deleted the saved prompt ${file}`)])
  })
})

test("a folder that cannot be written is one line in the log", async () => {
  const { start, prompts } = place()
  writeFileSync(prompts, "")
  await using worker = await start()
  await worker.run(judged(prose(1, 600)))
  await worker.stop(LONG)
  expect(worker.errors).toEqual([expect.stringContaining("prompts cannot be saved in")])
})
