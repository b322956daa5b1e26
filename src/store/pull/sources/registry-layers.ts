import { Unsupported } from "../../../errors/request"
import type { FileRole } from "../../managed/manifest"
import type { DeclaredParts } from "../plan"
import {
  type Layer,
  parseMessages,
  parseParameters,
  parseRegistryConfig,
  type RegistryManifest,
} from "./registry-manifest"

/** A layer that is a file of the model, with the name it gets, as layers have none. */
export interface FileLayer {
  readonly layer: Layer
  readonly role: FileRole
  readonly name: string
}

const FILES = {
  model: { role: "model", name: "model.gguf" },
  projector: { role: "projector", name: "mmproj.gguf" },
  adapter: { role: "adapter", name: "adapter.gguf" },
  draft: { role: "draft", name: "draft.gguf" },
} as const

/**
 * The files of a model.
 * @param label its name in messages
 * @throws Unsupported where it consists of several models
 */
export function filesOf({ layers }: RegistryManifest, label: string): readonly FileLayer[] {
  if (layers.filter(({ kind }) => kind === "model").length > 1) {
    throw new Unsupported(`${label} consists of several models, which is not supported`)
  }
  return Object.entries(FILES).flatMap(([kind, { role, name }]) => {
    const ofKind = layers.filter((layer) => layer.kind === kind)
    return ofKind.map((layer, index) => ({
      layer,
      role,
      name: index === 0 ? name : name.replace(".", `-${index + 1}.`),
    }))
  })
}

/**
 * The defaults that come with a model's files.
 * @param read reads the text of a small layer
 * @throws Unsupported for a model that is not GGUF, and the errors of `read`
 */
export async function readDeclared(
  { layers, config }: RegistryManifest,
  label: string,
  read: (layer: Layer) => Promise<string>,
): Promise<DeclaredParts> {
  const { format, renderer, parser, requires, capabilities } = parseRegistryConfig(
    config === undefined ? "" : await read(config),
  )
  if (format !== undefined && format !== "gguf") {
    throw new Unsupported(`${label} is in the format '${format}', not GGUF, which is not supported`)
  }
  return {
    ...(await readTexts(layers, read)),
    ...(capabilities.length > 0 && { capabilities }),
    ...(renderer !== undefined && { renderer }),
    ...(parser !== undefined && { parser }),
    ...(requires !== undefined && { requires }),
  }
}

async function readTexts(
  layers: readonly Layer[],
  read: (layer: Layer) => Promise<string>,
): Promise<DeclaredParts> {
  const textsOf = async (...kinds: readonly string[]) =>
    await Promise.all(layers.filter(({ kind }) => kinds.includes(kind)).map(read))
  // `prompt` is the old name of templates.
  const [template] = await textsOf("template", "prompt")
  const [system] = await textsOf("system")
  const [parameters] = await textsOf("params")
  const [messages] = await textsOf("messages")
  const licenses = await textsOf("license")
  return {
    parameters: parameters === undefined ? {} : parseParameters(parameters),
    ...(template !== undefined && { template: { text: template, syntax: "go" as const } }),
    ...(system !== undefined && { system }),
    ...(messages !== undefined && { messages: parseMessages(messages) }),
    ...(licenses.length > 0 && { licenses }),
  }
}
