import { connectionSettings } from "../config/schema"
import { gatherInputs, serverLocation } from "../config/settings"
import type { LoadedInfoBody, LoadedModelBody } from "../http/v0/bodies"
import { Client } from "./client"
import { defineCommand } from "./command"
import { configFlag, grouped, switchFlag } from "./flags"
import { SHORT_ID_LENGTH } from "./list"
import { formatBytes, printable, table, toJson } from "./output"

export const command = defineCommand({
  name: "ps",
  summary: "List the models that a server has loaded",
  words: "[PREFIX]",
  minimumWords: 0,
  maximumWords: 1,
  details: "Asks a running server; with PREFIX for models whose name begins with it.",
  examples: [
    { line: "xllm ps", does: "what the server on this machine has loaded" },
    { line: "xllm ps --host gpu-box --json", does: "the same of another machine, for a program" },
  ],
  flags: { json: switchFlag("print JSON"), ...grouped(connectionSettings, "Flags"), ...configFlag },
  async run({ flags, words, io }) {
    const prefix = (words[0] ?? "").toLowerCase()
    const all = await new Client(serverLocation(await gatherInputs(flags, io.environment))).ps()
    const models = all.filter(({ name }) => name.toLowerCase().startsWith(prefix))
    io.write(flags.json ? toJson({ models }) : psTable(models))
  },
})

/** The table of `ps`. */
export function psTable(models: readonly LoadedModelBody[]): string {
  const rows = models.map((model) => [
    printable(model.name),
    model.id.slice(0, SHORT_ID_LENGTH),
    model.size_bytes === 0 ? "-" : formatBytes(model.size_bytes),
    model.info === null ? "-" : processor(model.info),
    model.info === null ? "-" : String(model.info.context_length),
    until(model),
    `${model.active_requests}`,
    `${model.queued_requests}`,
  ])
  return table(["NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL", "ACTIVE", "QUEUED"], rows)
}

/** Where the layers are, in per cent. */
function processor({ gpu_layers, total_layers }: LoadedInfoBody): string {
  if (gpu_layers === 0) return "100% CPU"
  if (gpu_layers >= total_layers) return "100% GPU"
  const gpu = Math.round((100 * gpu_layers) / total_layers)
  return `${100 - gpu}%/${gpu}% CPU/GPU`
}

/** Models stay until they are stopped. */
function until({ state, progress }: LoadedModelBody): string {
  switch (state) {
    case "loading":
      return `Loading ${Math.floor(progress * 100)}%...`
    case "stopping":
      return "Stopping..."
    case "ready":
      return "Forever"
    default:
      return state satisfies never
  }
}
