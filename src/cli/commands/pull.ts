import { readSettings } from "../../config/resolve"
import { pgpSettings, pullSettings, storeSettings } from "../../config/sections/pull"
import type { ModelSummary } from "../../domain/model"
import { asXllmError } from "../../errors/base"
import { Cancelled } from "../../errors/request"
import { PullCancelled } from "../../errors/store"
import type { PullEvent } from "../../store/pull/events"
import { defineCommand } from "../args/command"
import { configFlag, grouped, switchFlag } from "../args/flags"
import { openStore } from "../models/open-store"
import { warnOfShadow } from "../models/shadowed"
import { JsonView, pullProgress } from "../pull/pull-progress"
import { createPuller } from "../pull/puller"
import { watchSignals } from "../terminal/signals"
import { printable } from "../terminal/output"

export const command = defineCommand({
  name: "pull",
  summary: "Download a model",
  words: "NAME…",
  minimumWords: 1,
  details: `NAME is a model from Ollama's library (llama3.2:1b), from Hugging Face (namespace/model, optionally with :QUANTIZATION
or :FILE), from another registry (host/namespace/model), or the URL of a GGUF file (https://…). The prefixes hf: and
ollama: name the source explicitly: hf:namespace/model, ollama:namespace/model.

Files that are there already are not downloaded again, and an interrupted download resumes where it stopped. Every
file's checksum is compared with the one its source declares. A model that was created here, from a file or a
Modelfile, is not replaced.`,
  examples: [
    { line: "xllm pull qwen3:0.6b", does: "a model from Ollama's library" },
    { line: "xllm pull Qwen/Qwen3-0.6B-GGUF:Q8_0", does: "a quantization from Hugging Face" },
    { line: "xllm pull hf:rhasspy/piper-voices:en_US-joe-medium", does: "a text-to-speech model" },
    { line: "xllm pull --repair qwen3:0.6b", does: "download the damaged files of an installed model again" },
    { line: "xllm pull localhost:5000/team/model", does: "from a registry on this machine" },
  ],
  flags: {
    json: switchFlag("print progress as JSON, one object per line"),
    repair: switchFlag("verify installed models, and download damaged files again"),
    insecure: switchFlag("allow plain HTTP, and accept any certificate"),
    ...grouped({ ...pgpSettings, ...storeSettings, ...pullSettings }, "Flags"),
    ...configFlag,
  },
  async run({ flags, words, io }) {
    const settings = await readSettings(flags, io.environment)
    const store = await openStore(settings)
    const puller = await createPuller(settings, store)
    using signals = watchSignals()
    const pulled: (readonly [given: string, made: ModelSummary])[] = []
    const progress = flags.json ? new JsonView(io.write) : pullProgress(io)
    try {
      // All names first: a typo in the second must not be reported hours later.
      if (!flags.repair)
        for (const model of words) puller.check({ model, isInsecure: flags.insecure === true })
      for (const model of words) {
        const options = {
          model,
          isInsecure: flags.insecure === true,
          signal: signals.signal,
          onEvent: (event: PullEvent) => progress.show(event),
        }
        if (flags.repair) await puller.repair(options)
        else {
          const made = await puller.pullAny(options)
          if (made !== undefined) pulled.push([model, made])
        }
      }
    } catch (error) {
      progress.end()
      if (error instanceof Cancelled) {
        io.writeError(`${printable(new PullCancelled(words.join(" ")).message)}\n`)
        process.exitCode = signals.signal.reason === "SIGTERM" ? 143 : 130
        return
      }
      const { code, message } = asXllmError(error)
      if (flags.json) io.write(`${JSON.stringify({ error: message, code })}\n`)
      throw error
    }
    progress.end()
    for (const [given, made] of pulled) await warnOfShadow(given, made, store, io)
  },
})
