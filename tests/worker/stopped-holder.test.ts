import { expect, test } from "bun:test"
import { join } from "node:path"
import { writeTinyModel } from "../support/files/tiny-model"
import { answerOf, eventsOf, realEngine } from "../support/real/real-engine"
import { greedy, prose } from "../support/requests"
import { tempFolder } from "../support/temp-folder"

test("a worker that is stopped in its turn on the CPU is ended; the one that waits for the turn answers", async () => {
  using folder = tempFolder()
  for (const name of ["first", "second"]) writeTinyModel(join(folder.path, `${name}.gguf`))
  const engine = realEngine(folder.path, { limits: { stepMs: 3000, stepFactor: 1 } })
  try {
    const reference = await answerOf(engine, greedy(prose(1, 50), { model: "second", maxTokens: 20 }))
    const stopped = Promise.withResolvers<void>()
    const first = (async () => {
      const request = greedy(prose(2, 50), { model: "first" })
      for await (const event of engine.complete(request, new AbortController().signal)) {
        const pid = engine.loaded().find(({ name }) => name === "first")?.pid
        if (event.type !== "delta" || pid === undefined) continue
        // Most likely in the middle of a step: steps are all that it does.
        process.kill(pid, "SIGSTOP")
        stopped.resolve()
      }
    })().catch((error: unknown) => error)
    await stopped.promise
    const second = await eventsOf(engine, greedy(prose(1, 50), { model: "second", maxTokens: 20 }))
    expect(second.map((event) => (event.type === "delta" ? event.text : "")).join("")).toBe(reference)
    expect(await first).toMatchObject({ code: "worker_unresponsive" })
  } finally {
    await engine.close()
  }
})
