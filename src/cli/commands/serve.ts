import { readSettings } from "../../config/resolve"
import { mediaSettings, visionSettings } from "../../config/sections/images"
import { kvDiskSettings } from "../../config/sections/kv-disk"
import { responseSettings } from "../../config/sections/responses"
import { capacitySettings } from "../../config/sections/limits"
import { logFileSettings, logSettings } from "../../config/sections/log"
import { modelSettings, profileSettings, residencySettings } from "../../config/sections/model"
import { missingModelSettings, pgpSettings, pullSettings, storeSettings } from "../../config/sections/pull"
import { metricsSettings, serverSettings } from "../../config/sections/server"
import { adapterFlags, withAdapters } from "../args/adapter-flags"
import { defineCommand } from "../args/command"
import { configFlag, grouped } from "../args/flags"

/** All settings that can be given on the command line. */
export const serveFlags = {
  ...serverSettings,
  ...storeSettings,
  ...configFlag,
  ...grouped({ ...missingModelSettings, ...pullSettings, ...pgpSettings }, "Downloads"),
  ...grouped(capacitySettings, "Capacity"),
  ...grouped({ ...mediaSettings, ...visionSettings, ...kvDiskSettings, ...responseSettings }, "Files"),
  ...grouped({ ...logSettings, ...logFileSettings, ...metricsSettings }, "Log and metrics"),
  ...grouped({ ...modelSettings, ...profileSettings }, "Loading models"),
  ...adapterFlags,
  ...grouped(residencySettings, "Keeping models"),
}

export const command = defineCommand({
  name: "serve",
  summary: "Start the server",
  words: "[MODEL…]",
  minimumWords: 0,
  hasLog: true,
  details: `Serves the models in the models directory through an OpenAI-compatible HTTP API; each is loaded at its first request.
A MODEL given here, by name or as the path of a GGUF, is loaded at once. The server does not start if that file is
missing or unusable; if loading it fails, the server keeps running and tries again when the model is requested.

Every flag has an environment variable (XLLM_PORT for --port) and a place in the configuration file; see 'xllm config'.
API keys come from XLLM_API_KEY or the file. Ctrl-C or SIGTERM lets running answers finish; a second one exits at
once. SIGHUP reloads the configuration file, as editing it does, and reopens the log file.`,
  examples: [
    { line: "xllm serve", does: "the models in ~/.xllm/models, each loaded at its first request" },
    { line: "xllm serve ./model.gguf --ctx 16k", does: "one file, with a context of 16,384 tokens" },
    {
      line: "xllm serve qwen3:0.6b --lora ./style.gguf",
      does: "with an adapter, which requests can turn off",
    },
    { line: "XLLM_API_KEY=… xllm serve --host 0.0.0.0", does: "for the whole network, with a key" },
  ],
  flags: serveFlags,
  async run({ flags, words, io }) {
    const { runServer } = await import("../serve/run")
    const given = withAdapters(flags)
    await runServer({ settings: await readSettings(given, io.environment), models: words, io, flags: given })
  },
})
