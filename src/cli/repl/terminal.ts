/** What the user did at a prompt. */
export type Entry =
  | { readonly type: "line"; readonly text: string }
  /** Ctrl-C; what had been typed is dropped. */
  | { readonly type: "interrupt"; readonly wasEmpty: boolean }
  /** Ctrl-D, or the terminal is gone. */
  | { readonly type: "end" }

/** Ctrl-C as a signal, for the time of an answer. */
export interface InterruptWatch extends Disposable {
  readonly signal: AbortSignal
}

/** Somebody at a keyboard. */
export interface Terminal {
  /** Asks for a line; `hint` stands greyed in the empty line. */
  read(prompt: string, hint?: string): Promise<Entry>
  /** Until it is disposed Ctrl-C aborts the signal; what is typed meanwhile is kept for the next prompt, unseen. */
  watchInterrupt(): InterruptWatch
  write(text: string): void
  close(): void
}
