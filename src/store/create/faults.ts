import { InvalidModelfile, UnsupportedModelfile } from "../../errors"

/** A fault of one instruction. */
export interface Fault {
  readonly line: number
  readonly message: string
  /** It is right, but nobody can do it yet. */
  readonly isUnsupported: boolean
}

/** Collects everything that is wrong with a Modelfile, so that it is told at once. */
export class Faults {
  readonly #found: Fault[] = []

  wrong(line: number, message: string): void {
    this.#found.push({ line, message, isUnsupported: false })
  }

  unsupported(line: number, message: string): void {
    this.#found.push({ line, message, isUnsupported: true })
  }

  get isEmpty(): boolean {
    return this.#found.length === 0
  }

  /**
   * @param file its name in messages
   * @throws InvalidModelfile where something is wrong; UnsupportedModelfile where everything is right, but not supported
   */
  throwAny(file: string): void {
    if (this.#found.length === 0) return
    const inOrder = this.#found.sort((a, b) => a.line - b.line)
    if (inOrder.every(({ isUnsupported }) => isUnsupported)) throw new UnsupportedModelfile(file, inOrder)
    throw new InvalidModelfile(file, inOrder)
  }
}
