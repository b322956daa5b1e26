/** Part of a prompt. */
export interface PromptPiece {
  readonly text: string
  /**
   * `true`: the text of a control token is parsed as that token. `false`: it is untrusted, and always plain
   * text.
   */
  readonly special: boolean
  /** The picture or sound that stands here in place of a text, by its number among the request's. */
  readonly media?: number
}
