/** An error in a Go template, or an unsupported feature. */
export class GoTemplateFault extends Error {
  /** Line of the template, counted from 1. */
  readonly line: number

  constructor(message: string, line: number) {
    super(message)
    this.line = line
  }
}
