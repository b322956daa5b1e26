/** Signals that ask a command to end. Excludes SIGHUP: a listener would override nohup. */
const ENDING = { SIGINT: 2, SIGTERM: 15 } as const

/** The shells' exit code for a program ended by the signal that aborted {@link Signals.signal}. */
export function exitCodeOf({ reason }: AbortSignal): number {
  return 128 + (reason === "SIGTERM" ? ENDING.SIGTERM : ENDING.SIGINT)
}

export interface Signals extends Disposable {
  /** Aborted by the first such signal, with its name as the reason. */
  readonly signal: AbortSignal
}

/**
 * From now on, the first signal aborts `signal`; the second ends the process immediately with the shell's exit code
 * for it.
 * @param beforeExit cleans up before that exit
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
