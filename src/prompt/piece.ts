/** Part of a prompt. */
export interface PromptPiece {
  readonly text: string
  /**
   * `true`: the text of a control token in it means that token. `false`: it is plain text, whatever it looks like;
   * it came from somebody who may not write control tokens.
   */
  readonly special: boolean
}
