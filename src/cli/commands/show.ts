import { readSettings, type Settings } from "../../config/resolve"
import { storeSettings } from "../../config/sections/pull"
import { connectionSettings } from "../../config/sections/server"
import type { ModelDetails } from "../../domain/model"
import { UsageError } from "../../errors/cli"
import type { GgufTensorInfo } from "../../formats/gguf/types"
import type { Store } from "../../store/contract"
import type { AdapterFile } from "../../store/adapters/adapter-files"
import type { Manifest } from "../../store/managed/manifest"
import { defineCommand } from "../args/command"
import { configFlag, grouped, switchFlag } from "../args/flags"
import { isPath, meantModel } from "../args/model-path"
import type { ServerTopic } from "../client/server-show"
import { openExistingStore } from "../models/models-folder"
import { parametersText, showText, templateOf } from "../show/show-text"
import { aligned, toJson } from "../terminal/output"

const onlyFlags = {
  template: switchFlag("only the chat template"),
  parameters: switchFlag("only the parameters that come with the model"),
  effective: switchFlag("only the effective parameters and settings, and where each is set"),
  system: switchFlag("only the system prompt"),
  license: switchFlag("only the license"),
  modelfile: switchFlag("only a Modelfile that 'xllm create' makes the same model from"),
  json: switchFlag("print JSON"),
}

export const command = defineCommand({
  name: "show",
  summary: "Show details of a model",
  words: "MODEL",
  minimumWords: 1,
  maximumWords: 1,
  details: `Reads a model's files. MODEL is a model's name, or the path of a GGUF or of a speech or image model. With --host, --port
or --socket, MODEL is one of that server, which reports less than the files contain.`,
  examples: [
    { line: "xllm show ./model.gguf", does: "details of a file" },
    { line: "xllm show smollm --template", does: "only the chat template" },
    {
      line: "xllm show smollm --parameters --effective",
      does: "the effective values, and where each is set",
    },
    { line: "xllm show smollm --modelfile > Modelfile", does: "a start for another model" },
    { line: "xllm show smollm --host gpu-box", does: "a model of a server on another machine" },
  ],
  flags: {
    ...onlyFlags,
    metadata: switchFlag("also every metadata key of the file"),
    tensors: switchFlag("also every tensor"),
    verbose: switchFlag("also every key and every tensor", "v"),
    ...grouped({ ...storeSettings, ...connectionSettings }, "Flags"),
    ...configFlag,
  },
  async run({ flags, words: [model = ""], io }) {
    const only = chosen(flags)
    const settings = await readSettings(flags, io.environment)
    // If there is none, the output is empty, which scripts can rely on.
    const print = (content = "") =>
      io.write(content === "" || content.endsWith("\n") ? content : `${content}\n`)
    if (isServerGiven(flags)) {
      const topic = serverTopic(only, flags)
      const { showOnServer } = await import("../client/server-show")
      return print(await showOnServer(model, topic, settings))
    }
    const { store } = await openExistingStore(settings, io)
    const adapter = await adapterOf(model, store)
    if (adapter !== undefined) return await printAdapter(adapter, flags, print)
    const { name, isByPath } = await meantModel(model, store)
    const [details, manifest] = await Promise.all([store.describe(name), store.manifest(name)])
    switch (only) {
      case "template":
        return print(manifest?.template?.text ?? templateOf(details))
      case "parameters":
        return print(parametersText(manifest?.parameters))
      case "effective": {
        const { effectiveValues } = await import("../show/effective")
        const rows = effectiveValues(settings, details).map((one) => [one.name, one.shown, one.from])
        return io.write(aligned(rows, 4))
      }
      case "system":
        return print(manifest?.system)
      case "license":
        return print(details.license)
      case "modelfile": {
        const { modelfileOf } = await import("../../store/create/modelfile")
        // A name that only this command made up is no use as advice.
        const advice = isByPath
          ? ""
          : `# To build on this model, have this as the only FROM:\n# FROM ${name}\n\n`
        return io.write(advice + modelfileOf(manifest, details.path, (digest) => store.blobs.pathOf(digest)))
      }
      case "json": {
        const { toShowObject } = await import("../show/show-json")
        const { usableContext } = await import("../show/usable-context")
        const tensors = await tensorsOf(details, flags)
        return io.write(toJson(toShowObject(details, manifest, tensors, usableContext(details, settings))))
      }
      case undefined:
        return io.write(await overview(details, manifest, flags, settings))
      default:
        return only satisfies never
    }
  },
})

/** The adapter that is meant: by its name, unless a model has that name, or with a model. */
async function adapterOf(word: string, store: Store): Promise<AdapterFile | undefined> {
  const [name = ""] = /[^@]+$/.exec(word) ?? []
  const found = isPath(word) ? undefined : await store.adapters.find(name)
  if (found === undefined) return undefined
  const isModel = await store.resolve(word).then(
    () => true,
    () => false,
  )
  return isModel ? undefined : found
}

/** @throws UsageError for what only models have */
async function printAdapter(
  adapter: AdapterFile,
  flags: Readonly<Partial<Record<Only | "tensors" | "verbose", boolean>>>,
  print: (content: string) => void,
): Promise<void> {
  const only = chosen(flags)
  const { adapterText, toAdapterObject } = await import("../show/show-adapter")
  if (only === "json") return print(toJson(toAdapterObject(adapter)))
  if (only !== undefined) throw new UsageError(`'${adapter.name}' is an adapter, which has no --${only}`)
  print(adapterText(adapter, flags.tensors === true || flags.verbose === true))
}

/** A server that only a variable or the configuration names is not meant: as for `list`, the files are at hand. */
function isServerGiven(flags: Readonly<Partial<Record<keyof typeof connectionSettings, unknown>>>): boolean {
  return [flags.host, flags.port, flags.socket].some((flag) => flag !== undefined)
}

/** @throws UsageError for what only the files contain */
function serverTopic(only: Only | undefined, flags: Detail): ServerTopic | undefined {
  const [first] = (["metadata", "tensors", "verbose"] as const).filter((name) => flags[name] === true)
  const local = only === "effective" ? only : first
  if (local !== undefined)
    throw new UsageError(`--${local} is not available through a server; omit --host to read the files here`)
  return only === "effective" ? undefined : only
}

type Detail = Readonly<Partial<Record<"metadata" | "tensors" | "verbose", boolean>>>

async function overview(
  details: ModelDetails,
  manifest: Manifest | undefined,
  flags: Detail,
  settings: Settings,
): Promise<string> {
  const tensors = await tensorsOf(details, flags)
  const { parameters, system, requires, source } = manifest ?? {}
  const { sizeBytes, path } = details
  const { usableContext } = await import("../show/usable-context")
  const context = usableContext(details, settings)
  return showText(details, {
    storage: { sizeBytes, path, ...(source !== undefined && { source }) },
    metadata: flags.metadata === true || flags.verbose === true,
    ...(tensors !== undefined && { tensors }),
    ...(parameters !== undefined && { parameters }),
    ...(system !== undefined && { system }),
    ...(requires !== undefined && { requires }),
    ...(context !== undefined && { context }),
  })
}

/** @throws UsageError if tensors are requested and the model has none to show */
async function tensorsOf(
  details: ModelDetails,
  flags: Detail,
): Promise<readonly GgufTensorInfo[] | undefined> {
  const isWanted = flags.tensors === true || (flags.verbose === true && details.kind === "text")
  if (!isWanted) return undefined
  const { readTensors } = await import("../show/gguf-facts")
  return readTensors(details)
}

type Only = keyof typeof onlyFlags

/** The single part requested. @throws UsageError if there are several */
function chosen(flags: Readonly<Partial<Record<Only, boolean>>>): Only | undefined {
  // The table's own keys.
  const names = Object.keys(onlyFlags) as Only[]
  const given = names.filter((name) => flags[name] === true)
  // With `--effective`, `parameters` also shows where each value comes from.
  const wanted = given.includes("effective") ? given.filter((name) => name !== "parameters") : given
  const [first, second] = wanted
  if (second === undefined) return first
  throw new UsageError(`give one of ${names.map((name) => `--${name}`).join(", ")}`)
}
