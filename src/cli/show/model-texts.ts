import type { ChatMessage } from "../../domain/chat"
import type { ModelDetails } from "../../domain/model"
import type { InstructionBody } from "../../formats/modelfile/parse"
import { type JsonRecord, recordAt, recordsAt, textAt } from "../../lib/json"
import { parametersOf } from "../../store/default-parameters"
import type { ManifestParameter } from "../../store/managed/manifest"

/** What a model brings along beside its weights. */
export interface ModelTexts {
  /** What a Modelfile that builds on it has behind FROM. */
  readonly from: string
  readonly license?: string
  /** In Jinja. */
  readonly template?: string
  readonly system?: string
  readonly messages: readonly ChatMessage[]
  /** Under the names that Modelfiles use. */
  readonly parameters: Readonly<Record<string, ManifestParameter>>
}

/** Of a model of this machine. */
export function modelTextsOf(details: ModelDetails, from: string): ModelTexts {
  const { license, defaults } = details
  const template = defaults?.template ?? (details.kind === "text" ? details.chatTemplate : undefined)
  return {
    from,
    ...(license !== undefined && { license }),
    ...(template !== undefined && { template }),
    ...(defaults?.system !== undefined && { system: defaults.system }),
    messages: defaults?.messages ?? [],
    parameters: parametersOf(defaults),
  }
}

/** Of what a server tells. */
export function textsFrom(meta: JsonRecord, from: string): ModelTexts {
  const [license, template, system] = ["license", "template", "system"].map((key) => textAt(meta, key))
  const messages = recordsAt(meta, "messages").map(({ role, content }) => ({ role, content }))
  return {
    from,
    ...(license !== undefined && { license }),
    ...(template !== undefined && { template }),
    ...(system !== undefined && { system }),
    // Both ends come from one build, or from one that promises the same fields.
    messages: messages as readonly ChatMessage[],
    parameters: (recordAt(meta, "parameters") ?? {}) as ModelTexts["parameters"],
  }
}

/** The instructions of a Modelfile that says all of it. */
export function instructionsOfTexts(texts: ModelTexts): readonly InstructionBody[] {
  const { from, template, license } = texts
  return [
    { type: "from", value: from },
    ...(template === undefined ? [] : [{ type: "template", value: template } as const]),
    ...changes(texts),
    ...(license === undefined ? [] : [{ type: "license", value: license } as const]),
  ]
}

/** Those that change how a model answers. */
export function changes({
  system,
  parameters,
  messages,
}: Pick<ModelTexts, "messages" | "parameters"> & {
  readonly system?: string | undefined
}): readonly InstructionBody[] {
  return [
    ...(system === undefined ? [] : [{ type: "system", value: system } as const]),
    ...parameterInstructions(parameters),
    ...messages.flatMap(({ role, content }): InstructionBody[] =>
      // A Modelfile has only these.
      role === "system" || role === "user" || role === "assistant"
        ? [{ type: "message", role, content }]
        : [],
    ),
  ]
}

/** One for each value. */
function parameterInstructions(parameters: ModelTexts["parameters"]): readonly InstructionBody[] {
  return Object.entries(parameters).flatMap(([name, value]) =>
    (typeof value === "object" ? value : [value]).map((one): InstructionBody => ({
      type: "parameter",
      name,
      value: one,
    })),
  )
}
