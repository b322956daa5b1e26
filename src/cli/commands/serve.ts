import { mediaSettings } from "../../config/sections/images"
import { capacitySettings } from "../../config/sections/limits"
import { logFileSettings, logSettings } from "../../config/sections/log"
import { modelSettings, residencySettings } from "../../config/sections/model"
import { missingModelSettings, pgpSettings, pullSettings, storeSettings } from "../../config/sections/pull"
import { metricsSettings, serverSettings } from "../../config/sections/server"
import { gatherInputs } from "../../config/settings"
import { defineCommand } from "../args/command"
import { configFlag, grouped } from "../args/flags"

/** All settings that can be given on the command line. */
export const serveFlags = {
  ...serverSettings,
  ...storeSettings,
  ...configFlag,
  ...grouped({ ...missingModelSettings, ...pullSettings, ...pgpSettings }, "Downloads"),
  ...grouped(capacitySettings, "Capacity"),
  ...grouped(mediaSettings, "Files"),
  ...grouped({ ...logSettings, ...logFileSettings, ...metricsSettings }, "Log and metrics"),
  ...grouped(modelSettings, "Loading models"),
  ...grouped(residencySettings, "Keeping models"),
}

export const command = defineCommand({
  name: "serve",
  summary: "Start the server",
  words: "[MODEL…]",
  minimumWords: 0,
  hasLog: true,
  details: `Serves the models of the models folder over HTTP, as OpenAI's API; each is loaded when it is first asked for.
A MODEL named here, by its name or the path of a GGUF, is loaded at once. The server does not start where its file is
missing or unusable; where loading it fails, the server goes on and tries again when the model is asked for.

Every flag has a variable, XLLM_PORT for --port, and a place in the configuration file: see 'xllm config'. API keys
come from XLLM_API_KEY or the file. Ctrl-C or SIGTERM lets running answers finish; the second ends at once.
SIGHUP reads the configuration file again, as a change of it does, and reopens the log file.`,
  examples: [
    { line: "xllm serve", does: "the models in ~/.xllm/models, each loaded when it is asked for" },
    { line: "xllm serve ./model.gguf --ctx 16k", does: "one file, for conversations of up to 16,384 tokens" },
    { line: "XLLM_API_KEY=… xllm serve --host 0.0.0.0", does: "for the whole network, with a key" },
  ],
  flags: serveFlags,
  async run({ flags, words, io }) {
    const { runServer } = await import("../serve/run")
    await runServer({ inputs: await gatherInputs(flags, io.environment), models: words, io, flags })
  },
})
