import { ModelNotFound } from "../../errors/model"
import { Unsupported } from "../../errors/request"
import type { InstructionBody } from "../../formats/modelfile/parse"
import type { Store } from "../../store/contract"

export interface SaveOptions {
  readonly store: Store
  /** The model that the new one is made from. */
  readonly base: string
  /** Of the new one. */
  readonly name: string
  /** What it has beside what its base has. */
  readonly instructions: readonly InstructionBody[]
}

/**
 * Makes a model that is another one with more instructions; returns its name.
 * @throws InvalidModelName, Unsupported where the base is not on this machine, and what making models fails with
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

/** What a Modelfile names a model by: one that was not installed by its path. */
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
