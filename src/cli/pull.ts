import { pgpSettings, pullSettings, storeSettings } from "../config/schema"
import { gatherInputs } from "../config/settings"
import { asXllmError, Cancelled, PullStopped } from "../errors"
import type { PullEvent } from "../store/pull/events"
import { defineCommand } from "./command"
import { configFlag, grouped, switchFlag } from "./flags"
import { watchInterrupts } from "./interrupts"
import { JsonView, pullView } from "./pull-view"
import { createPuller } from "./puller"
import { printable } from "./output"

export const command = defineCommand({
  name: "pull",
  summary: "Download a model",
  words: "NAME…",
  minimumWords: 1,
  details: `NAME is a model of Ollama's library (llama3.2:1b), of Hugging Face (namespace/model, with a quantisation or the
name of a file behind a colon), of another registry (host/namespace/model), or the address of a GGUF file
(https://…). Prefixes decide otherwise: hf:namespace/model, ollama:namespace/model.

What is there already is not downloaded again, and what was interrupted goes on where it stopped. Every file's
checksum is compared with what its source declares.`,
  examples: [
    { line: "xllm pull qwen3:0.6b", does: "a model of Ollama's library" },
    { line: "xllm pull Qwen/Qwen3-0.6B-GGUF:Q8_0", does: "a quantisation of a model on Hugging Face" },
    { line: "xllm pull hf:rhasspy/piper-voices:en_US-joe-medium", does: "a voice" },
    { line: "xllm pull --repair qwen3:0.6b", does: "what of an installed model is damaged" },
    { line: "xllm pull localhost:5000/team/model", does: "from a registry on this machine" },
  ],
  flags: {
    json: switchFlag("print one JSON object a line for what goes on"),
    repair: switchFlag(
      "compare what is installed with what it should be, and download again what is damaged",
    ),
    insecure: switchFlag("speak plain HTTP, and take any certificate"),
    ...grouped({ ...pgpSettings, ...storeSettings, ...pullSettings }, "Flags"),
    ...configFlag,
  },
  async run({ flags, words, io }) {
    const puller = await createPuller(await gatherInputs(flags, io.environment))
    using interrupts = watchInterrupts()
    const view = flags.json ? new JsonView(io.write) : pullView(io)
    try {
      // All of them first: a typing error in the second is not found out after hours.
      if (!flags.repair)
        for (const model of words) puller.check({ model, isInsecure: flags.insecure === true })
      for (const model of words) {
        const options = {
          model,
          isInsecure: flags.insecure === true,
          signal: interrupts.signal,
          onEvent: (event: PullEvent) => view.show(event),
        }
        await (flags.repair ? puller.repair(options) : puller.pull(options))
      }
    } catch (error) {
      view.end()
      if (error instanceof Cancelled) {
        io.writeError(`${printable(new PullStopped(words.join(" ")).message)}\n`)
        process.exitCode = interrupts.signal.reason === "SIGTERM" ? 143 : 130
        return
      }
      const { code, message } = asXllmError(error)
      if (flags.json) io.write(`${JSON.stringify({ error: message, code })}\n`)
      throw error
    }
    view.end()
  },
})
