import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import type { ChatMessage } from "../../../../src/domain/chat"
import type { PromptsOnDisk } from "../../../../src/domain/settings"
import { expectAgreement } from "../../../support/agreement"
import { writeTinyModel } from "../../../support/files/tiny-model"
import { LAYOUTS, RealWorker, type Run } from "../../../support/real/real-worker"
import { greedyChat, prose } from "../../../support/requests"
import { tempFolder } from "../../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

const CASES = (["mamba", "swa"] as const).flatMap((architecture) =>
  LAYOUTS.map((layout) => [architecture, layout] as const),
)

/** More than a template's text around a message, and much less than a message. */
const FEW = 24

const user = (content: string): ChatMessage => ({ role: "user", content })
const assistant = (content: string): ChatMessage => ({ role: "assistant", content })
const chat = (messages: readonly ChatMessage[], cachePrompt = true) =>
  greedyChat(messages, { maxTokens: 8, topLogprobs: 5, cachePrompt })

const evaluated = ({ done }: Run) => done.timings.promptTokens

describe.each(CASES)("a model of type %s with the %s layout", (architecture, kvLayout) => {
  const { path } = writeTinyModel(join(folder.path, `${architecture}.gguf`), { architecture })
  const start = (promptsOnDisk?: PromptsOnDisk) =>
    RealWorker.start(path, {
      settings: { kvLayout, slots: 4, contextLength: 4096, ...(promptsOnDisk && { promptsOnDisk }) },
    })
  const [first, second, third] = [user(prose(1, 500)), user(prose(2, 60)), user(prose(3, 60))]

  test("evaluates only what is new, although each answer is changed in the next turn", async () => {
    await using worker = await start()
    await worker.run(chat([first]))
    const next = [first, assistant("short"), second]
    const turn = await worker.run(chat(next))
    const { tokens } = await worker.render(chat(next))
    const { tokens: before } = await worker.render(chat([first]))
    expect(evaluated(turn)).toBeLessThan(tokens.length - before.length + FEW)
    expectAgreement(turn, await worker.run(chat(next, false)))
    const last = [...next, assistant("other"), third]
    const end = await worker.run(chat(last))
    expect(evaluated(end)).toBeLessThan(100)
    expectAgreement(end, await worker.run(chat(last, false)))
  })

  test("evaluates only the last message where that is edited", async () => {
    await using worker = await start()
    await worker.run(chat([first, assistant("yes"), second]))
    const edited = [first, assistant("yes"), third]
    const turn = await worker.run(chat(edited))
    const { tokens } = await worker.render(chat([third]))
    expect(evaluated(turn)).toBeLessThan(tokens.length + FEW)
    expectAgreement(turn, await worker.run(chat(edited, false)))
  })

  test("goes on from a checkpoint on disk after a restart", async () => {
    const prompts = join(folder.path, `kv-${architecture}-${kvLayout}`)
    const disk = { folder: prompts, maxBytes: 1024 ** 3, minTokens: 64 }
    await using worker = await start(disk)
    await worker.run(chat([first, assistant("yes"), second]))
    await worker.stop(10_000)
    await using next = await start(disk)
    const edited = [first, assistant("yes"), third]
    const turn = await next.run(chat(edited))
    expect(evaluated(turn)).toBeLessThan((await next.render(chat([third]))).tokens.length + FEW)
    expect(turn.done.timings.disk?.tokens).toBe(turn.done.usage.cachedTokens)
    expectAgreement(turn, await next.run(chat(edited, false)))
    expect(next.errors).toEqual([])
  })

  test("evaluates one token of the same prompt again", async () => {
    await using worker = await start()
    const cold = await worker.run(chat([first]))
    const again = await worker.run(chat([first]))
    expect(evaluated(again)).toBe(1)
    expectAgreement(again, cold)
  })
})
