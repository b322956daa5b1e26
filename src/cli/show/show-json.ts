import type { ModelFacts } from "../../domain/model"
import type { ProjectorFacts } from "../../domain/projector"
import type { GgufTensorInfo } from "../../formats/gguf/types"
import type { Manifest } from "../../store/managed/manifest"
import type { UsableContext } from "./usable-context"

/** The output of `show --json`. What a server does not report is absent. */
export function toShowObject(
  details: ModelFacts,
  manifest: Manifest | undefined,
  tensors: readonly GgufTensorInfo[] | undefined,
  context: UsableContext | undefined,
) {
  return {
    name: details.name,
    kind: details.kind,
    id: details.id,
    path: details.path,
    size_bytes: details.sizeBytes,
    modified_at: details.modifiedAt?.toISOString(),
    ...(details.aliases !== undefined && { aliases: details.aliases }),
    ...ofKind(details),
    ...(context !== undefined && {
      usable_context_length: context.length,
      context_limited_by: context.limitedBy ?? null,
    }),
    license: details.license ?? null,
    capabilities: details.capabilities,
    ...(details.parts !== undefined && { parts: details.parts.map(toPart) }),
    ...(details.defaults?.notes !== undefined && { notes: details.defaults.notes }),
    ...(manifest !== undefined && { installed: toInstalled(manifest) }),
    ...(tensors !== undefined && {
      tensors: tensors.map(({ name, type, shape }) => ({ name, type: type.name, shape })),
    }),
  }
}

function ofKind(details: ModelFacts) {
  switch (details.kind) {
    case "text":
      return {
        ...ofFile(details),
        chat_template: details.defaults?.template ?? details.chatTemplate ?? null,
        ...(details.projector !== undefined && { projector: toProjector(details.projector) }),
        metadata: details.metadata,
      }
    case "embedding":
      return { ...ofFile(details), pooling: details.pooling ?? null, metadata: details.metadata }
    case "tts":
      return {
        family: details.family,
        sample_rate: details.sampleRate,
        speakers: details.speakers.map((name) => name ?? null),
        languages: details.languages,
        files: details.files?.map(toFile),
      }
    case "asr":
      return {
        family: details.family,
        languages: details.languages,
        can_translate: details.canTranslate,
        files: details.files?.map(toFile),
      }
    case "image":
      return {
        architecture: details.architecture,
        parameters: details.parameterCount,
        quantization: details.quantization,
        components: details.components,
        files: details.files?.map(toFile),
      }
    default:
      return details satisfies never
  }
}

function toProjector({ families, parameterCount, embeddingLength, dimensions, ...facts }: ProjectorFacts) {
  return {
    families,
    sees: facts.sees,
    hears: facts.hears,
    parameters: parameterCount,
    embedding_length: embeddingLength,
    dimensions,
    tokens_per_unit: facts.encoder.cells ?? null,
  }
}

function ofFile(details: Extract<ModelFacts, { readonly kind: "text" | "embedding" }>) {
  return {
    architecture: details.architecture,
    parameters: details.parameterCount,
    quantization: details.quantization,
    context_length: details.contextLength,
    embedding_length: details.embeddingLength,
    layers: details.layers,
    heads: details.heads,
  }
}

function toFile({ name, sizeBytes }: { readonly name: string; readonly sizeBytes: number }) {
  return { name, size_bytes: sizeBytes }
}

function toPart(part: NonNullable<ModelFacts["parts"]>[number] & { readonly path?: string }) {
  const { role, name, sizeBytes, scale, path } = part
  return { role, name, size_bytes: sizeBytes, ...(scale !== undefined && { scale }), path }
}

/** A managed model's source, and what it adds to its weights. */
function toInstalled(manifest: Manifest) {
  const {
    source,
    createdAt,
    files,
    parameters,
    template,
    system,
    messages,
    requires,
    renderer,
    parser,
    base,
  } = manifest
  return {
    created_at: createdAt,
    source: source ?? null,
    base: base ?? null,
    parameters,
    template: template ?? null,
    system: system ?? null,
    messages: messages ?? [],
    requires: requires ?? null,
    renderer: renderer ?? null,
    parser: parser ?? null,
    files: files.map((file) => ({ ...toFile(file), role: file.role, digest: file.digest })),
  }
}
