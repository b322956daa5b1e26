import { parse, tokenize } from "@huggingface/jinja"
import type { ModelKind } from "../../domain/model"
import { KINDS } from "../../domain/tasks"
import { templateSyntax } from "../../formats/go-template/detect"
import { GoTemplateFault } from "../../formats/go-template/fault"
import { translateGoTemplate } from "../../formats/go-template/translate"
import type { ParameterValue } from "../../formats/modelfile/parameters"
import type { Instruction } from "../../formats/modelfile/parse"
import type { Manifest, ManifestFile } from "../managed/manifest"
import type { Faults } from "./faults"

type InstructionOf<T extends Instruction["type"]> = Extract<Instruction, { readonly type: T }>

/** All instructions of one type, in order. */
export function instructionsOf<T extends Instruction["type"]>(
  instructions: readonly Instruction[],
  type: T,
): InstructionOf<T>[] {
  return instructions.filter((instruction): instruction is InstructionOf<T> => instruction.type === type)
}

/** Parameters accepted without effect, and why. */
const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  num_keep: "a prompt that is too long is refused, not truncated",
  num_batch: "the batch size adapts to the machine",
  main_gpu: "--device and models.NAME.devices select the devices",
}

/** Parameters of models that generate no text. */
const MEDIA_PARAMETERS: ReadonlySet<string> = new Set(["keep_alive", "num_thread", "num_gpu"])

/** Reports unsupported instructions, and templates that are invalid or not understood. */
export function checkInstructions(instructions: readonly Instruction[], faults: Faults): void {
  for (const instruction of instructions) {
    const { line } = instruction
    switch (instruction.type) {
      case "renderer":
      case "parser":
        faults.unsupported(line, `${instruction.type.toUpperCase()} is not supported yet; a TEMPLATE is`)
        break
      case "template":
        checkTemplate(instruction, faults)
        break
    }
  }
}

/** Reports instructions without a meaning for a model of that kind. */
export function checkInstructionsOfKind(
  instructions: readonly Instruction[],
  kind: ModelKind,
  faults: Faults,
): void {
  if (kind === "text") return
  for (const instruction of instructions) {
    switch (instruction.type) {
      case "template":
      case "system":
      case "message":
      case "adapter":
      case "draft":
        faults.wrong(
          instruction.line,
          `${instruction.type.toUpperCase()} has no effect on ${KINDS[kind].noun}`,
        )
        break
      case "parameter":
        if (!MEDIA_PARAMETERS.has(instruction.name))
          faults.wrong(
            instruction.line,
            `the parameter '${instruction.name}' has no effect on ${KINDS[kind].noun}`,
          )
        break
    }
  }
}

/** Instructions that are accepted without effect. */
export function effectless(
  instructions: readonly Instruction[],
): readonly { readonly line: number; readonly message: string }[] {
  return instructionsOf(instructions, "parameter").flatMap(({ line, name }) => {
    const why = WITHOUT_EFFECT[name]
    return why === undefined ? [] : [{ line, message: `the parameter '${name}' has no effect: ${why}` }]
  })
}

function checkTemplate({ value, line }: InstructionOf<"template">, faults: Faults): void {
  try {
    if (templateSyntax(value) === "go") translateGoTemplate(value)
    else checkJinja(value)
  } catch (error) {
    const at = error instanceof GoTemplateFault ? line + error.line - 1 : line
    faults.wrong(at, `TEMPLATE: ${error instanceof Error ? error.message : String(error)}`)
  }
}

export interface Composition {
  readonly kind: ModelKind
  readonly files: readonly ManifestFile[]
  /** The base model, where it has a name. */
  readonly base: { readonly name: string; readonly manifest: Manifest } | undefined
  /** The value of FROM. */
  readonly reference: string
  readonly instructions: readonly Instruction[]
  readonly now: Date
}

/**
 * Applies a Modelfile to its base: parameters override the base's, licences are added, and a template, a system
 * message or examples replace the base's. An empty text removes the base's value.
 */
export function composeManifest({ kind, files, base, reference, instructions, now }: Composition): Manifest {
  const old = base?.manifest
  const template = templateOf(instructions, old)
  const system = instructionsOf(instructions, "system").at(-1)?.value ?? old?.system
  const messages = instructionsOf(instructions, "message").map(({ role, content }) => ({ role, content }))
  const licenses = licensesOf(instructions, old)
  const requires = instructionsOf(instructions, "requires").at(-1)?.value ?? old?.requires
  return {
    version: 1,
    kind,
    createdAt: now.toISOString(),
    source: { type: "create", reference },
    files,
    ...(old?.capabilities !== undefined && { capabilities: old.capabilities }),
    parameters: { ...old?.parameters, ...parametersOf(instructions) },
    ...template,
    ...(system !== undefined && system !== "" && { system }),
    ...(messages.length > 0 ? { messages } : old?.messages !== undefined && { messages: old.messages }),
    ...(licenses.length > 0 && { licenses }),
    ...(requires !== undefined && { requires }),
    ...(base !== undefined && { base: base.name }),
  }
}

/** A custom template replaces any renderer and parser. */
function templateOf(
  instructions: readonly Instruction[],
  old: Manifest | undefined,
): Pick<Manifest, "template" | "renderer" | "parser"> {
  const text = instructionsOf(instructions, "template").at(-1)?.value
  if (text !== undefined) return text === "" ? {} : { template: { text, syntax: templateSyntax(text) } }
  return {
    ...(old?.template !== undefined && { template: old.template }),
    ...(old?.renderer !== undefined && { renderer: old.renderer }),
    ...(old?.parser !== undefined && { parser: old.parser }),
  }
}

function licensesOf(instructions: readonly Instruction[], old: Manifest | undefined): readonly string[] {
  const own = instructionsOf(instructions, "license").map(({ value }) => value)
  return [...new Set([...(old?.licenses ?? []), ...own])].filter((text) => text !== "")
}

/** The last value of each; for `stop` all values. */
function parametersOf(instructions: readonly Instruction[]): Manifest["parameters"] {
  const parameters: Record<string, ParameterValue | string[]> = {}
  const stop: string[] = []
  for (const { name, value } of instructionsOf(instructions, "parameter")) {
    if (name === "stop") stop.push(String(value))
    else parameters[name] = value
  }
  return stop.length === 0 ? parameters : { ...parameters, stop: [...new Set(stop)] }
}

/** @throws an Error that says why `source` is not a Jinja template */
export function checkJinja(source: string): void {
  parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }))
}
