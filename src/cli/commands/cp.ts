import { readSettings } from "../../config/resolve"
import { storeSettings } from "../../config/sections/pull"
import { defineCommand } from "../args/command"
import { configFlag, grouped } from "../args/flags"
import { nameOf } from "../args/model-path"
import { openStore } from "../models/open-store"
import { warnOfShadow } from "../models/shadowed"
import { printable } from "../terminal/output"

export const command = defineCommand({
  name: "cp",
  summary: "Copy a model under a new name (shares files)",
  words: "SOURCE TARGET",
  minimumWords: 2,
  maximumWords: 2,
  details: `Both names share the model's files, so the copy needs no disk space; an existing model named TARGET is replaced.
A local GGUF, in the models directory or given as a path, is copied once.`,
  examples: [
    { line: "xllm cp llama3:8b my-llama", does: "my-llama:latest is the same model" },
    { line: "xllm cp ./model.gguf my-model:q4", does: "install a GGUF file" },
  ],
  flags: { ...grouped(storeSettings, "Flags"), ...configFlag },
  async run({ flags, words: [source = "", target = ""], io }) {
    const { parseModelName } = await import("../../store/names")
    const name = parseModelName(target)
    const store = await openStore(await readSettings(flags, io.environment))
    const copied = await store.copy(await nameOf(source, store), name)
    io.write(`copied '${printable(source)}' to '${printable(target)}'\n`)
    await warnOfShadow(target, copied, store, io)
  },
})
