import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { writeTinyModel } from "../support/files/tiny-model"
import { answerOf, realEngine } from "../support/real/real-engine"
import { greedy, prose } from "../support/requests"
import { tempFolder } from "../support/temp-folder"

const prlimit = Bun.which("prlimit")
if (prlimit === null) console.warn("out of memory at run time: skipped, because there is no prlimit here")

/** Address space of a process, in bytes. */
function addressSpace(pid: number): number {
  return Number(/^VmSize:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]) * 1024
}

test.skipIf(prlimit === null)(
  "a worker that runs out of memory costs its own requests and nothing else",
  async () => {
    using folder = tempFolder()
    for (const name of ["starved", "other"]) writeTinyModel(join(folder.path, `${name}.gguf`))
    const engine = realEngine(folder.path)
    try {
      const short = (model: string) => greedy(prose(1, 50), { model, maxTokens: 10 })
      const reference = await answerOf(engine, short("starved"))
      await answerOf(engine, short("other"))
      const starved = engine.loaded().find(({ name }) => name === "starved")?.pid ?? 0
      Bun.spawnSync([prlimit ?? "", "--pid", String(starved), `--as=${addressSpace(starved)}`])
      // Log probabilities of a long prompt: memory for each of its tokens.
      const large = {
        ...greedy(prose(2, 3000), { model: "starved", maxTokens: 1 }),
        echo: true,
        topLogprobs: 20,
        n: 3,
      }
      const failure = await answerOf(engine, large).catch((error: unknown) => error)
      // The cache cannot grow, or llama.cpp says so; where the memory was for something else, the worker ends.
      expect(failure).toMatchObject({
        code: expect.stringMatching(/^(not_enough_memory|decode_failed|worker_crashed)$/),
      })
      expect(await answerOf(engine, short("other"))).not.toBe("")
      expect(await answerOf(engine, short("starved"))).toBe(reference)
    } finally {
      await engine.close()
    }
  },
)
