import type { ModelDetails, ModelKind, WorkRequest } from "../domain"
import { WrongModelKind } from "../errors"

/** What kind of model takes a request. */
export const KIND_FOR: Readonly<Record<WorkRequest["kind"], ModelKind>> = {
  chat: "text",
  completion: "text",
  speech: "voice",
  transcription: "recognizer",
  image: "image",
}

/** @throws WrongModelKind where the model does something else than is asked of it */
export function checkKind(
  model: { readonly name: string; readonly kind: ModelKind },
  request: WorkRequest["kind"],
): void {
  if (KIND_FOR[request] !== model.kind) throw new WrongModelKind(model.name, model.kind)
}

/**
 * Of text models only those load that generate text; others are made to be parts of something else.
 * @throws WrongModelKind, by what the model's file says
 */
export function checkGenerates({ name, kind, capabilities }: ModelDetails): void {
  if (kind !== "text" || capabilities.includes("completion")) return
  if (capabilities.includes("embedding")) throw new WrongModelKind(name, "embedding")
  throw new WrongModelKind(name, capabilities.includes("rerank") ? "reranker" : "other")
}
