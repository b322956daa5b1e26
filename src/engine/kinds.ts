import type { ModelKind, WorkRequest } from "../domain"
import { WrongModelKind } from "../errors"

/** What kind of model takes a request. */
const KIND_FOR: Readonly<Record<WorkRequest["kind"], ModelKind>> = {
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
