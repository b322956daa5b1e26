/** Part of a prompt. */
export interface PromptPiece {
  readonly text: string
  /**
   * `true`: the text of a control token is parsed as that token. `false`: it is untrusted, and always plain
   * text.
   */
  readonly special: boolean
}
