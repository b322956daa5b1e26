import type { Settings } from "../../config/resolve"
import type { ChatRequest } from "../../domain/chat"
import type { ManagedEngine } from "../../engine"
import { asXllmError } from "../../errors/base"
import { meantModel } from "../args/model-path"
import type { MeasureRun } from "./run"
import { openEngine } from "./served"
import type { BenchSubject } from "./subject"
import type { Variant } from "./variants"

/** Has all models answer the same prompts greedily. */
export async function answerAll(
  subjects: readonly BenchSubject[],
  prompts: readonly string[],
  maxTokens: number,
  variant: Variant,
  settings: Settings,
  { results, progress, signal }: MeasureRun,
): Promise<void> {
  const { engine, store } = await openEngine(settings, variant, 1)
  try {
    const names = await Promise.all(subjects.map(async ({ given }) => (await meantModel(given, store)).name))
    for (const [index, prompt] of prompts.entries()) {
      progress.begin(`answering prompt ${index + 1} of ${prompts.length}`)
      const answers: { model: string; text: string }[] = []
      for (const [at, { label }] of subjects.entries()) {
        const text = await answer(engine, names[at] ?? label, prompt, maxTokens, signal).catch(
          (error: unknown) => {
            signal.throwIfAborted()
            return `(${asXllmError(error).message})`
          },
        )
        answers.push({ model: label, text })
      }
      results.answers(prompt, answers)
    }
  } finally {
    await engine.close()
  }
}

async function answer(
  engine: ManagedEngine,
  model: string,
  prompt: string,
  maxTokens: number,
  signal: AbortSignal,
): Promise<string> {
  const request: ChatRequest = {
    kind: "chat",
    model,
    messages: [{ role: "user", content: prompt }],
    templateArguments: {},
    addGenerationPrompt: true,
    continueFinalMessage: false,
    n: 1,
    maxTokens,
    minTokens: 0,
    stop: [],
    sampling: { temperature: 0 },
    cachePrompt: false,
    returnProgress: false,
  }
  let text = ""
  for await (const event of engine.chat(request, signal))
    if (event.type === "delta" && event.part === "text") text += event.text
  return text
}
