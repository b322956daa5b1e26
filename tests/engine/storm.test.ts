import { expect, test } from "bun:test"
import type { WorkEvent } from "../../src/domain/tasks"
import type { ManagedEngine } from "../../src/engine"
import { XllmError } from "../../src/errors/base"
import type { FakePrompt } from "../support/fakes/fake-worker"
import { mulberry } from "../support/files/mulberry"
import {
  completion,
  drawing,
  embedding,
  Reader,
  speech,
  testEngine,
  type TestModel,
  transcription,
} from "../support/test-engine"

const CLIENTS = 300

const MODELS: Readonly<Record<string, TestModel>> = {
  writer: { settings: { slots: 4 } },
  author: { settings: { replicas: 2, priority: "low" } },
  joe: { kind: "tts", settings: { replicas: 2 } },
  ear: { kind: "asr", settings: { keepAliveSeconds: 0 } },
  vector: { kind: "embedding" },
  brush: { kind: "image", settings: { priority: "high" } },
}

/** What requests may end with here, beside `done`. */
const EXPECTED = ["cancelled", "worker_crashed", "decode_failed", "queue_full", "queue_timeout", "stopping"]

function ask(engine: ManagedEngine, model: string, prompt: FakePrompt): Reader<WorkEvent> {
  return new Reader<WorkEvent>((signal) => {
    switch (MODELS[model]?.kind ?? "text") {
      case "tts":
        return engine.speak(speech(prompt, model), signal)
      case "asr":
        return engine.transcribe(transcription(prompt, model), signal)
      case "image":
        return engine.generateImage(drawing(prompt, model), signal)
      case "embedding":
        return engine.embed({ ...embedding(prompt, model), queueTimeoutMs: 5_000 }, signal)
      case "text":
        return engine.complete({ ...completion(prompt), model, queueTimeoutMs: 5_000 }, signal)
    }
  })
}

async function endOf(reader: Reader<WorkEvent>): Promise<string> {
  try {
    return (await reader.rest()).at(-1)?.type ?? "nothing"
  } catch (error) {
    return error instanceof XllmError ? error.code : String(error)
  }
}

test.each([1, 2, 3])(
  "in storm %# everybody gets an end, and nothing is left behind",
  async (seed) => {
    const random = mulberry(seed)
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
    const models = { ...MODELS }
    const { engine, logged } = testEngine({
      models,
      queueLimit: 20,
      memory: { maxModels: 3, headroomBytes: 0 },
    })
    const readers: Reader<WorkEvent>[] = []
    const ends: Promise<string>[] = []
    for (let client = 0; client < CLIENTS; client++) {
      const name = pick(Object.keys(MODELS))
      const reader = ask(engine, name, pick(["say 1", "say 3", "say 20", "drip 1", "fail"] as const))
      readers.push(reader)
      ends.push(endOf(reader))
      const chance = random()
      if (chance < 0.15) pick(readers).abort()
      else if (chance < 0.25) kill(pick(engine.loaded().filter(({ state }) => state === "ready"))?.pid)
      else if (chance < 0.35) models[name] = { ...MODELS[name], id: `${client}` }
      else if (chance < 0.36) void engine.stop(pick(Object.keys(MODELS)))
      for (let left = random() * 40; left > 0; left--) await turn()
    }
    const all = await Promise.all(ends)
    expect(all.filter((end) => end !== "done" && !EXPECTED.includes(end))).toEqual([])
    expect(all.filter((end) => end === "done").length).toBeGreaterThan(0)
    expect(engine.status().queue).toMatchObject({ running: 0, waiting: 0, models: [] })
    await Promise.all(Object.keys(MODELS).map((name) => engine.stop(name)))
    expect(engine.loaded()).toEqual([])
    expect(engine.status().memory.system.usedByModels).toBe(0)
    // Workers that were given more than they have slots for end with this code.
    expect(logged.filter(({ how }) => how === "ended with exit code 93")).toEqual([])
  },
  60_000,
)

/** Lets everything run that waits for nothing but its turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function kill(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(pid, "SIGKILL")
  } catch {
    // It has ended already.
  }
}
