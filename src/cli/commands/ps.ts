import { readSettings } from "../../config/resolve"
import { connectionSettings } from "../../config/sections/server"
import type {
  FailedModelBody,
  LoadedInfoBody,
  LoadedModelBody,
  LoadedTextBody,
} from "../../http/v0/bodies/loaded-model"
import type { MemoriesBody } from "../../http/v0/bodies/memory"
import { defineCommand } from "../args/command"
import { configFlag, grouped, switchFlag } from "../args/flags"
import { ServerClient } from "../client/server-client"
import { formatAge, formatBytes, printable, section, table, toJson } from "../terminal/output"
import { SHORT_ID_LENGTH } from "./list"

/** The interval, in milliseconds, between the two samples from which the speed of busy models is calculated. */
const SAMPLE_MS = 500

/** A model and its current speed. */
export type PsRow = LoadedModelBody & {
  /** `null`: it is not generating. */
  readonly tokens_per_second: number | null
}

export const command = defineCommand({
  name: "ps",
  summary: "List the models a server has loaded",
  words: "[PREFIX]",
  minimumWords: 0,
  maximumWords: 1,
  details: `Lists the models that a running server has loaded; with PREFIX only those whose name begins with it. SIZE is the memory a model holds, UP TO
what it may grow to with long conversations, SLOTS the requests it is answering and its maximum, QUEUE the requests that
wait. CONTEXT applies to models that read text, TOKENS/S to those that write it. Models that failed to load are listed with the reason; the next request tries them again.`,
  examples: [
    { line: "xllm ps", does: "what the server on this machine has loaded" },
    { line: "xllm ps -v", does: "also where each model is placed, and why" },
    { line: "xllm ps --host gpu-box --json", does: "another machine's models, as JSON" },
  ],
  flags: {
    verbose: switchFlag(
      "also show where each model's layers are placed and whether it guesses ahead, and why",
      "v",
    ),
    json: switchFlag("print JSON"),
    ...grouped(connectionSettings, "Flags"),
    ...configFlag,
  },
  async run({ flags, words, io }) {
    const prefix = (words[0] ?? "").toLowerCase()
    const client = new ServerClient((await readSettings(flags, io.environment)).server)
    const isWanted = ({ name }: { readonly name: string }) => name.toLowerCase().startsWith(prefix)
    const models = (await measured(client)).filter(isWanted)
    const failed = (await client.failed()).filter(isWanted)
    if (flags.json) return io.write(toJson({ models, failed }))
    io.write(psTable(models, new Date()))
    io.write(failed.map(failure).join(""))
    if (flags.verbose) io.write(`\n${models.map(placement).join("\n")}${memoryTable(await client.memory())}`)
  },
})

/** The loaded models and their speeds. */
async function measured(client: ServerClient): Promise<readonly PsRow[]> {
  const before = await client.ps()
  const since = performance.now()
  if (!before.some(isActive)) return before.map((model) => ({ ...model, tokens_per_second: null }))
  await Bun.sleep(SAMPLE_MS)
  const after = await client.ps()
  const seconds = (performance.now() - since) / 1000
  return after.map((model) => {
    const earlier = before.find(({ pid }) => pid === model.pid)
    const tokens = model.counters.tokens_generated - (earlier?.counters.tokens_generated ?? 0)
    return { ...model, tokens_per_second: isActive(model) || tokens > 0 ? tokens / seconds : null }
  })
}

/** Is it generating text at the moment? */
function isActive({ kind, active_requests: requests }: LoadedModelBody): boolean {
  return kind === "text" && requests > 0
}

/** The table of `ps`. */
export function psTable(models: readonly PsRow[], now: Date): string {
  const grows = models.some(({ most_bytes: most }) => typeof most === "number")
  const heading = [
    ...["NAME", "ID", "SIZE", ...(grows ? ["UP TO"] : []), "PROCESSOR", "CONTEXT", "UNTIL", "SLOTS", "QUEUE"],
    "TOKENS/S",
  ]
  const rows = models.map((model) => [
    nameOf(model),
    model.id.slice(0, SHORT_ID_LENGTH),
    sizeOf(model),
    ...(grows ? [typeof model.most_bytes === "number" ? formatBytes(model.most_bytes) : "-"] : []),
    processor(model),
    model.info?.kind === "text" || model.info?.kind === "embedding" ? String(model.info.context_length) : "-",
    until(model, now),
    model.info === null ? "-" : `${model.active_requests}/${model.info.slots}`,
    String(model.queued_requests),
    model.tokens_per_second === null ? "-" : model.tokens_per_second.toFixed(1),
  ])
  return table(heading, rows)
}

/** The next request for the model retries. */
function failure({ name, reason, failed_at }: FailedModelBody): string {
  return `\n${printable(name)} failed ${formatAge(new Date(failed_at), new Date())}: ${printable(reason)}\n`
}

function nameOf({ name, replica }: LoadedModelBody): string {
  return printable(replica === null ? name : `${name}#${replica}`)
}

/** Its memory if known, otherwise its file size. */
function sizeOf({ footprint, size_bytes: fileBytes }: LoadedModelBody): string {
  const devices = footprint?.devices ?? []
  const held = devices.reduce((sum, { bytes }) => sum + bytes, footprint?.ram_bytes ?? 0)
  return held + fileBytes === 0 ? "-" : formatBytes(held || fileBytes)
}

/** The processors it runs on, with their shares of the layers if split. */
function processor({ info, footprint }: LoadedModelBody): string {
  if (info === null) return "-"
  if (info.kind === "text" || info.kind === "embedding") return layerShares(info)
  return (footprint?.devices ?? []).some(({ bytes }) => bytes > 0) ? "100% GPU" : "100% CPU"
}

/** The shares of the layers in per cent. */
function layerShares({
  gpu_layers,
  total_layers,
}: Pick<LoadedTextBody, "gpu_layers" | "total_layers">): string {
  if (gpu_layers === 0) return "100% CPU"
  if (gpu_layers >= total_layers) return "100% GPU"
  const gpu = Math.round((100 * gpu_layers) / total_layers)
  return `${100 - gpu}%/${gpu}% CPU/GPU`
}

/** When it is unloaded if unused. */
function until({ state, progress, stays, expires_at }: LoadedModelBody, now: Date): string {
  switch (state) {
    case "loading":
      return `Loading ${Math.floor(progress * 100)}%...`
    case "stopping":
      return "Stopping..."
    case "ready":
      if (stays) return "Forever"
      return expires_at === null ? "In use" : formatAge(new Date(expires_at), now)
    default:
      return state satisfies never
  }
}

/** Where its layers are and why, and its memory use. */
function placement(model: PsRow): string {
  const { plan, footprint, notes, priority, pinned, info } = model
  return section(nameOf(model), [
    ...(plan === null ? [] : [["why", plan.explanation]]),
    ...(plan?.devices ?? []).map(({ name, layers }) =>
      model.kind === "text" ? ["layers", `${layers} on ${name}`] : ["device", name],
    ),
    ...(footprint === null ? [] : [["memory", `${formatBytes(footprint.ram_bytes)} of the machine`]]),
    ...(footprint?.devices ?? []).map(({ name, bytes }) => ["memory", `${formatBytes(bytes)} of ${name}`]),
    ...(info?.kind === "text" ? [["cache", cacheOf(info)]] : []),
    ...(info === null ? [] : [["threads", threadsOf(info)]]),
    ...(info?.kind === "text" ? [["guessing", guessingOf(info, model.counters)]] : []),
    ["priority", pinned ? `${priority}, pinned` : priority],
    ...notes.map((note) => ["note", note]),
  ])
}

/** Its KV cache, now and at most. */
function cacheOf({ kv_cells, kv_bytes, kv_most_cells, kv_layout }: LoadedTextBody): string {
  const most = kv_most_cells > kv_cells ? `, up to ${kv_most_cells}` : ""
  return `${kv_cells} tokens (${formatBytes(kv_bytes)}, ${kv_layout})${most}`
}

/** Whether it guesses its answers ahead, and how often it was right. */
function guessingOf(
  { speculation }: LoadedTextBody,
  { draft_n, draft_n_accepted }: PsRow["counters"],
): string {
  const state = `${speculation.is_on ? "on" : "off"}: ${speculation.explanation}`
  return draft_n === 0 ? state : `${state}; ${draft_n_accepted} of ${draft_n} tokens were right`
}

function threadsOf(info: LoadedInfoBody): string {
  return info.kind === "text"
    ? `${info.decode_threads}, for prompts ${info.prefill_threads}`
    : String(info.threads)
}

function memoryTable({ system, gpus }: MemoriesBody): string {
  const memories = [{ name: "machine", ...system }, ...gpus]
  const grows = memories.some((memory) => memory.most_used_by_models_bytes > memory.used_by_models_bytes)
  const rows = memories.map((memory) => [
    printable(memory.name),
    formatBytes(memory.used_by_models_bytes),
    ...(grows ? [formatBytes(memory.most_used_by_models_bytes)] : []),
    formatBytes(memory.free_bytes),
    formatBytes(memory.total_bytes),
    memory.limit_bytes === null ? "-" : formatBytes(memory.limit_bytes),
  ])
  return `\n${table(["MEMORY", "MODELS", ...(grows ? ["UP TO"] : []), "FREE", "TOTAL", "LIMIT"], rows)}`
}
