/** A choice of a request. */
interface Choice {
  readonly request: object
}

/**
 * The order in which waiting choices get slots: requests take turns, those of which the fewest choices run first. So a
 * request of many choices does not hold up a small one until it is done; of equal ones, the first to come is first.
 */
export function inTurn<T extends Choice>(waiting: readonly T[], running: readonly Choice[]): readonly T[] {
  if (waiting.every(({ request }) => request === waiting[0]?.request)) return waiting
  const turns = new Map<object, number>()
  for (const { request } of running) turns.set(request, (turns.get(request) ?? 0) + 1)
  const choices = waiting.map((choice) => {
    const turn = turns.get(choice.request) ?? 0
    turns.set(choice.request, turn + 1)
    return { choice, turn }
  })
  return choices.sort((a, b) => a.turn - b.turn).map(({ choice }) => choice)
}
