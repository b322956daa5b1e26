import { readSettings } from "../../config/resolve"
import { connectionSettings } from "../../config/sections/server"
import { defineCommand } from "../args/command"
import { configFlag, grouped } from "../args/flags"
import { ServerBackend } from "../client/server-backend"
import { ServerClient } from "../client/server-client"
import { printable } from "../terminal/output"

export const command = defineCommand({
  name: "stop",
  summary: "Unload a model from a server",
  words: "MODEL",
  minimumWords: 1,
  maximumWords: 1,
  details: "Ends the model's worker process and frees its memory; its running answers end with an error.",
  examples: [
    { line: "xllm stop smollm", does: "unload it from the server on this machine" },
    { line: "xllm stop smollm --host gpu-box", does: "unload it from a server on another machine" },
  ],
  flags: { ...grouped(connectionSettings, "Flags"), ...configFlag },
  async run({ flags, words: [model = ""], io }) {
    const location = (await readSettings(flags, io.environment)).server
    const stopped = await new ServerBackend(new ServerClient(location)).stop(model)
    if (!stopped) io.writeError(`model '${printable(model)}' was not loaded\n`)
  },
})
