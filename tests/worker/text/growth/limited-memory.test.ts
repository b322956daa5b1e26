import { afterAll, expect, setDefaultTimeout, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expectAgreement } from "../../../support/agreement"
import { writeTinyModel } from "../../../support/files/tiny-model"
import { growingPlan } from "../../../support/growing-plan"
import { RealWorker, type RealWorkerOptions } from "../../../support/real/real-worker"
import { greedy, prose } from "../../../support/requests"
import { tempFolder } from "../../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(120_000)

const MIB = 1024 ** 2

const prlimit = Bun.which("prlimit")
if (prlimit === null) console.warn("growth in limited memory: skipped, because there is no prlimit here")

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

const MODEL = { contextLength: 32_768, layers: 1 }

/** Without flash attention a cell takes 512 bytes and 10 KiB of buffers. */
function start(grant?: RealWorkerOptions["grant"], cells = 2048): Promise<RealWorker> {
  const { path } = writeTinyModel(join(folder.path, "m.gguf"), MODEL)
  const kv = growingPlan({ contextLength: 32_768, slots: 4, layout: "unified", cells, sequences: 4 })
  const settings = { slots: kv.slots, contextLength: kv.contextLength }
  return RealWorker.start(path, { kv, settings, ...(grant !== undefined && { grant }) })
}

/** Lets a process take no more than so many bytes of address space beyond what it has. */
function limitAddressSpace(pid: number, moreBytes: number): void {
  const status = readFileSync(`/proc/${pid}/status`, "latin1")
  const now = Number(/^VmSize:\s+(\d+) kB/m.exec(status)?.[1]) * 1024
  const { exitCode } = Bun.spawnSync([prlimit ?? "", "--pid", String(pid), `--as=${now + moreBytes}:`])
  expect(exitCode).toBe(0)
}

function liftLimit(pid: number): void {
  Bun.spawnSync([prlimit ?? "", "--pid", String(pid), "--as=unlimited:"])
}

test.skipIf(prlimit === null)(
  "a growth that the system has no memory for is refused, streams go on, and the worker survives",
  async () => {
    const stream = greedy(prose(2, 100), { maxTokens: 300, topLogprobs: 2 })
    const long = greedy(prose(1, 20_000), { maxTokens: 5, topLogprobs: 2 })
    await using unlimited = await start()
    const [streamed, read] = await unlimited.runAll([stream, long])
    await using worker: RealWorker = await start(() => {
      // Enough for all but a context of 20,000 tokens.
      limitAddressSpace(worker.pid, 96 * MIB)
      return "all"
    })
    const running = worker.submit(stream)
    await running.tokens(5)
    expect(await worker.failure(long)).toMatchObject({ code: "not_enough_memory", status: 507 })
    await running.over
    expectAgreement(running, streamed!)
    expect(worker.counters).toMatchObject({ kvGrowths: 0, preemptions: 0 })
    // Reported as it was, which ends what was granted.
    expect(worker.caches.at(-1)).toMatchObject({ layout: "unified", cells: 2048 })
    liftLimit(worker.pid)
    expectAgreement(await worker.run(stream), streamed!)
    expect(read!.reason).toBe("length")
  },
)

test.skipIf(prlimit === null)(
  "where the system has no memory for the cache before either, every request fails with the reason",
  async () => {
    const cells = 8192
    await using worker: RealWorker = await start(() => {
      // The cache before is given up for the larger one; half of what it took is not enough for any.
      limitAddressSpace(worker.pid, (-cells * 10 * 1024) / 2)
      return "least"
    }, cells)
    const stream = worker.submit(greedy(prose(2, 100), { maxTokens: 5000 }))
    await stream.tokens(5)
    const long = worker.submit(greedy(prose(1, 20_000), { maxTokens: 5 }))
    await Promise.all([stream.over, long.over])
    for (const { error } of [stream, long]) {
      expect(error).toMatchObject({ code: "not_enough_memory", status: 507 })
      expect(error?.message).toContain("lost its KV cache")
    }
  },
)
