import type { AliasState } from "../../store/contract"

/** Problems with aliases, one sentence each. */
export function aliasProblems(states: readonly AliasState[]): readonly string[] {
  return states.flatMap(({ alias, target, hiddenBy, model }) => {
    if (hiddenBy !== undefined) {
      return [`the alias '${alias}' has no effect: there is a model '${hiddenBy}', which comes first`]
    }
    return model === undefined ? [`the alias '${alias}' stands for '${target}', which is not there`] : []
  })
}
