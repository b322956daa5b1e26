import type { AliasState } from "../../store/contract"

/** Problems with aliases, one sentence each. */
export function aliasProblems(states: readonly AliasState[]): readonly string[] {
  return states.flatMap(({ alias, target, hiddenBy, model }) => {
    if (hiddenBy !== undefined) {
      return [`the alias '${alias}' has no effect: the model '${hiddenBy}' takes precedence`]
    }
    return model === undefined ? [`the alias '${alias}' stands for '${target}', which does not exist`] : []
  })
}
