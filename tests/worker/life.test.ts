import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { Engine } from "../../src/engine/contract"
import { WorkerCrashed } from "../../src/errors/engine"
import { writeTinyModel } from "../support/files/tiny-model"
import { answerOf, realEngine } from "../support/real/real-engine"
import { greedy, prose } from "../support/requests"
import { tempFolder } from "../support/temp-folder"

// Nothing here waits for a clock but those that wait for a process to end; this is for slow machines.
setDefaultTimeout(60_000)

const folder = tempFolder()
const SIGNAL = new AbortController().signal

beforeAll(() => {
  writeTinyModel(join(folder.path, "tiny.gguf"))
  writeTinyModel(join(folder.path, "large.gguf"), { dim: 512, layers: 8, ffn: 1024, contextLength: 4096 })
})
afterAll(() => folder[Symbol.dispose]())

function workerOf(engine: Engine): number {
  const pid = engine.loaded()[0]?.pid
  if (pid === undefined) throw new Error("there is no worker")
  return pid
}

test("a killed worker ends its stream with an error that says so, and the next request gets another worker", async () => {
  const engine = realEngine(folder.path)
  const reference = await answerOf(engine, greedy(prose(1, 50), { model: "tiny", maxTokens: 10 }))
  const killed = workerOf(engine)
  let shown = 0
  const streaming = (async () => {
    for await (const event of engine.complete(greedy(prose(2, 50), { model: "tiny" }), SIGNAL)) {
      if (event.type === "delta" && ++shown === 5) process.kill(killed, "SIGKILL")
    }
  })()
  const failure = await streaming.catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(WorkerCrashed)
  expect(String(failure)).toContain("SIGKILL")
  expect(shown).toBeGreaterThanOrEqual(5)
  expect(await answerOf(engine, greedy(prose(1, 50), { model: "tiny", maxTokens: 10 }))).toBe(reference)
  expect(workerOf(engine)).not.toBe(killed)
  await engine.close()
})

test("a closed engine leaves no worker", async () => {
  const engine = realEngine(folder.path)
  await engine.preload("tiny", SIGNAL)
  const pid = workerOf(engine)
  expect(isRunning(pid)).toBe(true)
  await engine.close()
  expect(isRunning(pid)).toBe(false)
})

/** Is there a process of this id that is more than a record of its end? */
function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2))
  } catch {
    return false
  }
}

/** Whether the process has gone within `ms`. */
async function endsWithin(pid: number, ms: number): Promise<boolean> {
  const deadline = performance.now() + ms
  while (isRunning(pid)) {
    if (performance.now() > deadline) return false
    await Bun.sleep(10)
  }
  return true
}

/** Starts a server process and kills it with the first line that `enough` likes; the process id of its worker. */
async function killServer(model: string, enough: (line: string) => boolean): Promise<number> {
  const host = Bun.spawn(
    [process.execPath, join(import.meta.dir, "../support/engine-host.ts"), folder.path, model],
    { stdout: "pipe", stderr: "inherit" },
  )
  let worker = 0
  let text = ""
  const decoder = new TextDecoder()
  reading: for await (const bytes of host.stdout) {
    text += decoder.decode(bytes, { stream: true })
    const lines = text.split("\n")
    text = lines.pop() ?? ""
    for (const line of lines) {
      worker = Number(/^worker (\d+) /.exec(line)?.[1] ?? worker)
      if (enough(line)) break reading
    }
  }
  expect(isRunning(worker)).toBe(true)
  host.kill("SIGKILL")
  await host.exited
  return worker
}

describe.skipIf(process.platform !== "linux")("a server that is killed leaves no worker", () => {
  test("that has just started", async () => {
    const worker = await killServer("large", (line) => /^worker \d+ 0$/.test(line))
    expect(await endsWithin(worker, 2000)).toBe(true)
  })

  test("that loads its model", async () => {
    const worker = await killServer("large", (line) => /^worker \d+ (?!0$)/.test(line))
    expect(await endsWithin(worker, 2000)).toBe(true)
  })

  test("that generates", async () => {
    const worker = await killServer("large", (line) => line === "token")
    expect(await endsWithin(worker, 2000)).toBe(true)
  })
})
