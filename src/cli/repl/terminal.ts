/** What the user did at a prompt. */
export type Entry =
  | { readonly type: "line"; readonly text: string }
  /** Ctrl-C; the input is discarded. */
  | { readonly type: "interrupt"; readonly wasEmpty: boolean }
  /** Ctrl-D, or the terminal was closed. */
  | { readonly type: "end" }

/** Ctrl-C as a signal while an answer is generated. */
export interface InterruptWatch extends Disposable {
  readonly signal: AbortSignal
}

/** An interactive terminal. */
export interface Terminal {
  /** Reads a line; `hint` is shown greyed out while it is empty. */
  read(prompt: string, hint?: string): Promise<Entry>
  /** Until disposed, Ctrl-C aborts the signal, and other input is kept, without echo, for the next prompt. */
  watchInterrupt(): InterruptWatch
  write(text: string): void
  close(): void
}
