import { ModelNotFound } from "../../errors/model"
import type { Store } from "../../store/contract"

/** Is this how a file is named, rather than a model? `owner/repository:file.gguf` is a model. */
export function isPath(model: string): boolean {
  return /^[^:]*\.gguf$/i.test(model) || /^(\.{0,2}|~)\//.test(model)
}

/** A model that a user means. */
export interface MeantModel {
  readonly name: string
  /** It was named by a path: nobody else knows the name. */
  readonly isByPath: boolean
}

/**
 * The model that a user means by a path or a name.
 * @throws ModelNotFound, and what the store throws for a file that is no model
 */
export async function meantModel(model: string, store: Store): Promise<MeantModel> {
  const byPath = async () => ({ name: (await store.add(model)).name, isByPath: true })
  if (isPath(model)) return await byPath()
  try {
    return { name: (await store.resolve(model)).name, isByPath: false }
  } catch (error) {
    // `folder/file` without an ending may be meant as a path.
    if (!(error instanceof ModelNotFound) || !(await Bun.file(model).exists())) throw error
    return await byPath()
  }
}

/** The name of {@link meantModel}. */
export async function nameOf(model: string, store: Store): Promise<string> {
  return (await meantModel(model, store)).name
}
