import { expect, test } from "bun:test"
import { mkdirSync, renameSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { writeTinyModel } from "../../support/files/tiny-model"
import { answerOf, realEngine } from "../../support/real/real-engine"
import { greedy } from "../../support/requests"
import { tempFolder } from "../../support/temp-folder"
import { Client } from "../../support/test-engine"
import { until } from "../../support/until"

/** Puts another model in the place of the one with that path, as a download does: at once. */
function replace(path: string, seed: number): void {
  const beside = join(dirname(path), "..", `${seed}.tmp`)
  writeTinyModel(beside, { seed })
  renameSync(beside, path)
}

const ASKED = greedy("one two three", { model: "m", maxTokens: 12 })

test("real workers: what is in the models directory answers the next request, and what runs is finished", async () => {
  using folder = tempFolder()
  const models = join(folder.path, "models")
  mkdirSync(models)
  const path = join(models, "m.gguf")
  replace(path, 1)
  const engine = realEngine(models, { settings: { slots: 2, contextLength: 1024 } })
  try {
    const first = await answerOf(engine, ASKED)
    const running = new Client(engine, "hold", 1, { ...ASKED, maxTokens: 900 })
    await running.until("delta")
    replace(path, 2)
    const second = await answerOf(engine, ASKED)
    expect(second).not.toBe(first)
    expect((await running.rest()).at(-1)).toMatchObject({ type: "done", usage: { completionTokens: 900 } })
    const text = running.events.map((event) => (event.type === "delta" ? event.text : "")).join("")
    expect(text.startsWith(first)).toBe(true)
    await until(() => engine.loaded().length === 1)

    replace(path, 1)
    expect(await answerOf(engine, ASKED)).toBe(first)
    rmSync(path)
    const failure = await new Client(engine, "hold", 1, ASKED).failure()
    expect(failure).toMatchObject({ code: "model_not_found", status: 404 })
    await until(() => engine.loaded().length === 0)
  } finally {
    await engine.close()
  }
}, 60_000)
