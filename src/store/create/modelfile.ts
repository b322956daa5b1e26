import { modelfileParameters, type ParameterValue } from "../../formats/modelfile/parameters"
import type { InstructionBody } from "../../formats/modelfile/parse"
import { printModelfile } from "../../formats/modelfile/print"
import type { Digest, FileRole, Manifest, ManifestParameter } from "../managed/manifest"

/**
 * The Modelfile of a model: `create` makes an identical model of it while this one exists. Anything that `create`
 * would refuse, or that has no effect, becomes a comment.
 * @param manifest `undefined`: the model is not installed and has no defaults
 * @param path the path that a worker loads
 * @param pathOf the path of a blob
 */
export function modelfileOf(
  manifest: Manifest | undefined,
  path: string,
  pathOf: (digest: Digest) => string,
): string {
  if (manifest === undefined) return printModelfile([{ type: "from", value: path }])
  const { renderer, parser } = manifest
  const notes = [
    ...(renderer === undefined ? [] : [`RENDERER ${renderer}`]),
    ...(parser === undefined ? [] : [`PARSER ${parser}`]),
  ]
  const comments = notes.map((note) => `# not supported yet: ${note.replace(/\s+/g, " ")}\n`)
  return comments.join("") + printModelfile(instructionsOf(manifest, path, pathOf))
}

function instructionsOf(
  manifest: Manifest,
  path: string,
  pathOf: (digest: Digest) => string,
): readonly InstructionBody[] {
  const { files, template, system, messages = [], licenses = [], requires, renderer, parser } = manifest
  const pathsOf = (role: FileRole): readonly string[] =>
    files.filter((file) => file.role === role).map(({ digest }) => pathOf(digest))
  // Where a renderer would be needed, the template in the model's file is used.
  const ownTemplate = renderer === undefined && parser === undefined ? template?.text : undefined
  return [
    { type: "from", value: path },
    ...pathsOf("projector").map((value) => ({ type: "from", value }) as const),
    ...pathsOf("adapter").map((value) => ({ type: "adapter", value }) as const),
    ...pathsOf("draft").map((value) => ({ type: "draft", value }) as const),
    ...(ownTemplate === undefined ? [] : [{ type: "template", value: ownTemplate } as const]),
    ...(system === undefined ? [] : [{ type: "system", value: system } as const]),
    ...parametersOf(manifest).flatMap(([name, value]) => parameterLines(name, value)),
    ...messages.map(({ role, content }) => ({ type: "message", role, content }) as const),
    ...licenses.map((value) => ({ type: "license", value }) as const),
    ...(requires === undefined ? [] : [{ type: "requires", value: requires } as const]),
  ]
}

function parametersOf({ parameters, files }: Manifest): readonly (readonly [string, ManifestParameter])[] {
  const scale = files.find(({ role }) => role === "adapter")?.scale
  const scaled = scale === undefined ? parameters : { adapter_scale: scale, ...parameters }
  return Object.entries(scaled)
}

/** Limited to the registry's values that a Modelfile can express. */
function parameterLines(name: string, value: ManifestParameter): readonly InstructionBody[] {
  const rule = Object.hasOwn(modelfileParameters, name) ? modelfileParameters[name] : undefined
  const values: readonly ParameterValue[] = isList(value) ? value : [value]
  return values
    .filter((each) => rule?.parse(String(each)) !== undefined)
    .map((each) => ({ type: "parameter", name, value: each }))
}

function isList(value: ManifestParameter): value is readonly string[] {
  return Array.isArray(value)
}
