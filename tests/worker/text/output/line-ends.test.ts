import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import { writeTinyModel } from "../../../support/files/tiny-model"
import { tinyVocabulary } from "../../../support/files/tiny-vocabulary"
import { RealWorker } from "../../../support/real/real-worker"
import { greedy } from "../../../support/requests"
import { tempFolder } from "../../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const folder = tempFolder()
/** Answers "x" with "\n  y\n  y\n  y …". */
let worker: RealWorker

beforeAll(async () => {
  const { idOf, idOfByte } = tinyVocabulary({ size: 512, fim: false })
  const [x, y, newline] = ["x", "y", "\n"].map((text) => idOfByte(text.charCodeAt(0)))
  const indent = idOf(" ")
  const chain = [
    [x!, newline!],
    [newline!, indent],
    [indent, y!],
    [y!, newline!],
  ] as const
  worker = await RealWorker.start(writeTinyModel(join(folder.path, "lines.gguf"), { chain }).path)
})
afterAll(async () => {
  await worker[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

const twelve = { maxTokens: 12 }

test("without limits an answer has lines of any length and indentation", async () => {
  const run = await worker.run(greedy("x", twelve))
  expect([run.text(), run.finish().completionTokens]).toEqual(["\n y\n y\n y\n y", 12])
})

test("a line with less indentation than asked for ends the answer, as a limit does", async () => {
  const run = await worker.run(greedy("x", { ...twelve, leastIndent: 2 }))
  expect([run.text(), run.finish()]).toMatchObject(["\n ", { reason: "length", completionTokens: 3 }])
  const enough = await worker.run(greedy("x", { ...twelve, leastIndent: 1 }))
  expect(enough.finish()).toMatchObject({ reason: "length", completionTokens: 12 })
})

test("an answer ends at the first line break after its time", async () => {
  const late = await worker.run(greedy("x", { ...twelve, lineBreakEndsAfterMs: 1e-9 }))
  // The first token may come at the very time at which the prompt is done; the second line break cannot.
  expect(["\n", "\n y\n"]).toContain(late.text())
  expect(late.finish().reason).toBe("length")
  const early = await worker.run(greedy("x", { ...twelve, lineBreakEndsAfterMs: 1e9 }))
  expect(early.finish().completionTokens).toBe(12)
})
