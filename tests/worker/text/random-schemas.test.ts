import { afterAll, expect, test } from "bun:test"
import { join } from "node:path"
import { mulberry } from "../../support/files/mulberry"
import { writeTinyModel } from "../../support/files/tiny-model"
import { judgeOf } from "../../support/json-validity"
import { randomSchema } from "../../support/random-schema"
import { RealWorker } from "../../support/real/real-worker"
import { greedy } from "../../support/requests"
import { tempFolder } from "../../support/temp-folder"

/** Answers in all. For a longer search, thousands take minutes. */
const GENERATIONS = Number(process.env["RANDOM_GENERATIONS"] ?? 500)

const CHOICES = 5

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

test(
  "every complete answer of a random model is valid by an independent validator",
  async () => {
    const { path, vocabulary } = writeTinyModel(join(folder.path, "model.gguf"))
    await using worker = await RealWorker.start(path, { settings: { slots: 8, contextLength: 512 } })
    // A random model goes on with its texts; what ends them is made likelier.
    const logitBias = [...'"]},'].map((sign) => [vocabulary.idOf(sign), 8] as const)
    let answers = 0
    let complete = 0
    for (let seed = 0; answers < GENERATIONS; seed++) {
      const schema = randomSchema(mulberry(seed), 2)
      const judge = judgeOf(schema)
      if (judge === undefined) continue
      const request = greedy([305, 306, 307], {
        n: CHOICES,
        maxTokens: 150,
        output: { type: "schema", schema, isStrict: true },
        sampling: { temperature: 1.2, seed, logitBias },
      })
      const run = worker.submit(request)
      await run.over
      // Refused, as it has a keyword that cannot be enforced, or no value.
      if (run.error !== undefined) {
        expect({ seed, error: run.error.code }).toEqual({ seed, error: "invalid_request_error" })
        continue
      }
      for (let choice = 0; choice < CHOICES; choice++) {
        answers++
        if (run.finish(choice).reason !== "stop") continue
        complete++
        const text = run.text(choice)
        const wrong = judge(text)
        expect({ seed, schema, text, wrong }).toEqual({ seed, schema, text, wrong: undefined })
      }
    }
    expect(complete).toBeGreaterThan(GENERATIONS / 2)
  },
  GENERATIONS * 1000,
)
