import { isPartRole } from "../../domain/attached-parts"
import type { ChatMessage } from "../../domain/chat"
import type { ModelDefaults, ModelFacts } from "../../domain/model"
import { POOLINGS } from "../../domain/embedding"
import type { ProjectorFacts } from "../../domain/projector"
import { isModelKind } from "../../domain/tasks"
import { type JsonRecord, numberAt, recordAt, recordsAt, textAt, textsAt } from "../../lib/json"
import { defaultsOfParameters } from "../../store/managed/defaults"
import type { Manifest } from "../../store/managed/manifest"

/** The facts in a server's description of a model. Earlier versions report fewer. */
export function toModelFacts(name: string, meta: JsonRecord): ModelFacts {
  const text = (key: string) => textAt(meta, key) ?? "?"
  const number = (key: string) => numberAt(meta, key) ?? 0
  const kind = textAt(meta, "kind") ?? "text"
  const [sizeBytes, layers, heads, license] = [
    numberAt(meta, "size"),
    numberAt(meta, "n_layer"),
    numberAt(meta, "n_head"),
    textAt(meta, "license"),
  ]
  const aliases = textsAt(meta, "aliases")
  const parts = recordsAt(meta, "parts").flatMap(toPart)
  const common = {
    name,
    capabilities: textsAt(meta, "capabilities"),
    ...(sizeBytes !== undefined && { sizeBytes }),
    defaults: toDefaults(meta),
    ...(aliases.length > 0 && { aliases }),
    ...(parts.length > 0 && { parts }),
    ...(license !== undefined && { license }),
  }
  const inFile = {
    architecture: text("architecture"),
    parameterCount: number("n_params"),
    contextLength: number("n_ctx_train"),
    embeddingLength: number("n_embd"),
    quantization: text("quantization"),
    // The one of the defaults, if any, is in its place.
    chatTemplate: undefined,
    ...(layers !== undefined && { layers }),
    ...(heads !== undefined && { heads }),
  }
  switch (isModelKind(kind) ? kind : "text") {
    case "text":
      return { ...common, ...inFile, ...toProjector(recordAt(meta, "projector")), kind: "text" }
    case "embedding": {
      const pooling = POOLINGS.find((one) => one === textAt(meta, "pooling"))
      return { ...common, ...inFile, kind: "embedding", ...(pooling !== undefined && { pooling }) }
    }
    case "tts":
      return {
        ...common,
        kind: "tts",
        family: text("family"),
        sampleRate: number("sample_rate"),
        // Those without a name are listed by their numbers.
        speakers: textsAt(meta, "speakers").map((speaker, index) =>
          speaker === String(index) ? undefined : speaker,
        ),
        languages: textsAt(meta, "languages"),
      }
    case "asr":
      return {
        ...common,
        kind: "asr",
        family: text("family"),
        languages: textsAt(meta, "languages"),
        canTranslate: meta["can_translate"] === true,
      }
    case "image":
      return {
        ...common,
        kind: "image",
        architecture: text("architecture"),
        parameterCount: number("n_params"),
        quantization: text("quantization"),
        components: textsAt(meta, "components"),
      }
  }
}

/** Roles that only later versions have are left out. */
function toPart(part: JsonRecord): readonly NonNullable<ModelFacts["parts"]>[number][] {
  const [role, scale] = [textAt(part, "role") ?? "", numberAt(part, "scale")]
  if (!isPartRole(role)) return []
  const sizeBytes = numberAt(part, "size") ?? 0
  return [{ role, name: textAt(part, "name") ?? "?", sizeBytes, ...(scale !== undefined && { scale }) }]
}

function toProjector(meta: JsonRecord | undefined): { readonly projector?: ProjectorFacts } {
  if (meta === undefined) return {}
  const number = (key: string) => numberAt(meta, key) ?? 0
  const cells = numberAt(meta, "tokens_per_unit")
  return {
    projector: {
      families: textsAt(meta, "families"),
      sees: meta["sees"] === true,
      hears: meta["hears"] === true,
      parameterCount: number("n_params"),
      embeddingLength: number("n_embd"),
      dimensions: number("n_embd_out"),
      encoder: {
        feedForwardLength: number("n_ff"),
        heads: number("n_head"),
        patchesPerCell: number("patches_per_token"),
        ...(cells !== undefined && { cells }),
      },
    },
  }
}

function toDefaults(meta: JsonRecord): ModelDefaults {
  const [template, system, notes] = [textAt(meta, "template"), textAt(meta, "system"), textsAt(meta, "notes")]
  const messages = recordsAt(meta, "messages").map(({ role, content }) => ({ role, content }))
  return {
    ...(template !== undefined && { template }),
    ...(system !== undefined && { system }),
    // Safe, here and below: both ends are from the same build, or from one that keeps these fields compatible.
    ...(messages.length > 0 && { messages: messages as readonly ChatMessage[] }),
    ...(notes.length > 0 && { notes }),
    ...defaultsOfParameters((recordAt(meta, "parameters") ?? {}) as Manifest["parameters"]),
  }
}
