import { ModelNotFound } from "../../errors/model"
import { Unsupported } from "../../errors/request"
import type { InstructionBody } from "../../formats/modelfile/parse"
import type { Store } from "../../store/contract"

export interface SaveOptions {
  readonly store: Store
  /** The model that the new one is created from. */
  readonly base: string
  /** The new model's name. */
  readonly name: string
  /** Instructions added to those of the base. */
  readonly instructions: readonly InstructionBody[]
}

/**
 * Creates a model from another one with additional instructions; returns its name.
 * @throws InvalidModelName, Unsupported if the base is not on this machine, and errors from creating the model
 */
export async function saveModel({ store, base, name, instructions }: SaveOptions): Promise<string> {
  const [{ createModel }, { formatModelName, parseModelName }] = await Promise.all([
    import("../../store/create/create"),
    import("../../store/names"),
  ])
  const target = parseModelName(name)
  const from = await fromOf(base, store)
  await createModel({
    store,
    name: target,
    modelfile: {
      instructions: [{ type: "from", value: from } as const, ...instructions].map((one) => ({
        ...one,
        line: 1,
      })),
      problems: [],
      warnings: [],
    },
    file: "the conversation",
    folder: process.cwd(),
    report: () => {},
  })
  return formatModelName(target)
}

/** The model's reference in FROM: its name, or its path if it is not managed. */
export async function fromOf(model: string, store: Store): Promise<string> {
  try {
    return (await store.manifest(model)) === undefined ? (await store.describe(model)).path : model
  } catch (error) {
    if (!(error instanceof ModelNotFound)) throw error
    throw new Unsupported(
      `the files of '${model}' are not on this machine, where the new model would be made`,
    )
  }
}
