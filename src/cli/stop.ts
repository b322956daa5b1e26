import { connectionSettings } from "../config/schema"
import { gatherInputs, serverLocation } from "../config/settings"
import { Client } from "./client"
import { defineCommand } from "./command"
import { configFlag, grouped } from "./flags"
import { printable } from "./output"

export const command = defineCommand({
  name: "stop",
  summary: "Unload a model from a server",
  words: "MODEL",
  minimumWords: 1,
  maximumWords: 1,
  details:
    "Ends the model's worker, so that its memory is free again; its running answers end with an error.",
  examples: [
    { line: "xllm stop smollm", does: "unload from the server on this machine" },
    { line: "xllm stop smollm --host gpu-box", does: "unload from another machine's" },
  ],
  flags: { ...grouped(connectionSettings, "Flags"), ...configFlag },
  async run({ flags, words: [model = ""], io }) {
    const location = serverLocation(await gatherInputs(flags, io.environment))
    const { stopped } = await new Client(location).stop(model)
    if (!stopped) io.writeError(`model '${printable(model)}' was not loaded\n`)
  },
})
