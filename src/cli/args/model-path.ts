import { ModelNotFound } from "../../errors/model"
import type { Store } from "../../store/contract"

/** Does this look like a file path? `owner/repository:file.gguf` is a model name. */
export function isPath(model: string): boolean {
  return /^[^:]*\.gguf$/i.test(model) || /^(\.{0,2}|~)\//.test(model)
}

/** The model that a user refers to. */
export interface MeantModel {
  readonly name: string
  /** Given as a path, so its name is known only in this process. */
  readonly isByPath: boolean
}

/**
 * Finds the model that a user refers to by path or name.
 * @throws ModelNotFound, and what the store throws for an invalid model file
 */
export async function meantModel(model: string, store: Store): Promise<MeantModel> {
  const byPath = async () => ({ name: (await store.add(model)).name, isByPath: true })
  if (isPath(model)) return await byPath()
  try {
    return { name: (await store.resolve(model)).name, isByPath: false }
  } catch (error) {
    // `folder/file` without an extension may be a path.
    if (!(error instanceof ModelNotFound) || !(await Bun.file(model).exists())) throw error
    return await byPath()
  }
}

/** The name of {@link meantModel}. */
export async function nameOf(model: string, store: Store): Promise<string> {
  return (await meantModel(model, store)).name
}
