import type { ChatMessage } from "../domain/chat"
import { textOf } from "../domain/content"
import type { ModelFacts } from "../domain/model"
import type { InstructionBody } from "../formats/modelfile/parse"
import { parametersOf } from "./default-parameters"
import type { ManifestParameter } from "./managed/manifest"

/** A model's template, parameters and texts, besides its weights. */
export interface ModelTexts {
  /** The FROM value of a Modelfile that builds on it. */
  readonly from: string
  readonly license?: string
  /** In Jinja. */
  readonly template?: string
  readonly system?: string
  readonly messages: readonly ChatMessage[]
  /** Under their Modelfile names. */
  readonly parameters: Readonly<Record<string, ManifestParameter>>
}

/** @param from the FROM value of a Modelfile that builds on the model */
export function modelTextsOf(details: ModelFacts, from: string): ModelTexts {
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

/** The Modelfile instructions that set all of these. */
export function instructionsOfTexts(texts: ModelTexts): readonly InstructionBody[] {
  const { from, template, license } = texts
  return [
    { type: "from", value: from },
    ...(template === undefined ? [] : [{ type: "template", value: template } as const]),
    ...changes(texts),
    ...(license === undefined ? [] : [{ type: "license", value: license } as const]),
  ]
}

/** The instructions that change how a model answers. */
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
      // Modelfiles have only these roles.
      role === "system" || role === "user" || role === "assistant"
        ? [{ type: "message", role, content: textOf(content) }]
        : [],
    ),
  ]
}

/** One instruction per value. */
function parameterInstructions(parameters: ModelTexts["parameters"]): readonly InstructionBody[] {
  return Object.entries(parameters).flatMap(([name, value]) =>
    (typeof value === "object" ? value : [value]).map((one): InstructionBody => ({
      type: "parameter",
      name,
      value: one,
    })),
  )
}
