import { ModelNotFound } from "../errors"
import type { Store } from "../store/contract"

/** Is this how a file is named, rather than a model? `owner/repository:file.gguf` is a model. */
export function isPath(model: string): boolean {
  return /^[^:]*\.gguf$/i.test(model) || /^(\.{0,2}|~)\//.test(model)
}

/**
 * The name of the model that a user means by a path or a name.
 * @throws ModelNotFound, and what the store throws for a file that is no model
 */
export async function nameOf(model: string, store: Store): Promise<string> {
  if (isPath(model)) return (await store.add(model)).name
  try {
    return (await store.resolve(model)).name
  } catch (error) {
    // `folder/file` without an ending may be meant as a path.
    if (!(error instanceof ModelNotFound) || !(await Bun.file(model).exists())) throw error
    return (await store.add(model)).name
  }
}
