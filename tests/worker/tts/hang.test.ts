import { expect, test } from "bun:test"
import { join } from "node:path"
import type { SpeechEvent } from "../../../src/domain/media/speech"
import type { Engine } from "../../../src/engine/contract"
import { TINY_TTS_MODEL_TOKENS, writeTinyTtsModel } from "../../support/files/tiny-tts-model"
import { realEngine } from "../../support/real/real-engine"
import { SPEAK } from "../../support/real/real-tts-model"
import { tempFolder } from "../../support/temp-folder"

async function speak(engine: Engine, input: string): Promise<SpeechEvent[]> {
  const { signal } = new AbortController()
  return await Array.fromAsync(engine.speak({ ...SPEAK, model: "voice", input }, signal))
}

test("an engine that never answers costs its worker: the request fails, the next one is spoken", async () => {
  using temp = tempFolder()
  // A number that the graph does not know: ONNX Runtime fails, and sherpa-onnx settles nothing.
  writeTinyTtsModel(join(temp.path, "voice"), { tokens: `${TINY_TTS_MODEL_TOKENS}# 999\n` })
  const engine = realEngine(temp.path, { limits: { stepMs: 4000, stepFactor: 1 } })
  try {
    expect((await speak(engine, "abc")).at(-1)?.type).toBe("done")
    const failure = await speak(engine, "a # b").catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: "worker_unresponsive" })
    expect(String(failure)).toContain("indices element out of data bounds")
    expect((await speak(engine, "abc")).at(-1)?.type).toBe("done")
  } finally {
    await engine.close()
  }
})
