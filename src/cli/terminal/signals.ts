/** Signals that ask a command to end. Not SIGHUP: a listener would undo what nohup did. */
const ENDING = { SIGINT: 2, SIGTERM: 15 } as const

export interface Signals extends Disposable {
  /** Aborted by the first such signal, whose name is the reason. */
  readonly signal: AbortSignal
}

/**
 * From now on the first signal that asks to end aborts `signal`; the next one ends the process at once, with the
 * exit code that shells use for it.
 * @param beforeExit what the end at once must not leave behind
 */
export function watchSignals(beforeExit: () => void = () => {}): Signals {
  const controller = new AbortController()
  const listeners = Object.entries(ENDING).map(([name, number]) => {
    const listener = () => {
      if (!controller.signal.aborted) return controller.abort(name)
      beforeExit()
      process.exit(128 + number)
    }
    process.on(name, listener)
    return { name, listener }
  })
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const { name, listener } of listeners) process.off(name, listener)
    },
  }
}
