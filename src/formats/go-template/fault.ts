/** What is wrong with a template, or not understood of it. */
export class GoTemplateFault extends Error {
  /** Of the template, from 1. */
  readonly line: number

  constructor(message: string, line: number) {
    super(message)
    this.line = line
  }
}
