import { InvalidModelfile, UnsupportedModelfile } from "../../errors/model"

/** A fault in an instruction. */
interface Fault {
  /** Absent: the whole file is at fault. */
  readonly line: number | undefined
  readonly message: string
  /** It is valid, but not supported yet. */
  readonly isUnsupported: boolean
}

/** Collects all faults of a Modelfile, so that they are reported together. */
export class Faults {
  readonly #found: Fault[] = []

  wrong(line: number | undefined, message: string): void {
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
   * @throws InvalidModelfile where anything is invalid; UnsupportedModelfile where everything is valid but
   * something is not supported
   */
  throwAny(file: string): void {
    if (this.#found.length === 0) return
    const inOrder = this.#found.toSorted((a, b) => (a.line ?? Infinity) - (b.line ?? Infinity))
    const faults = inOrder.map(({ line, message }) => ({ ...(line !== undefined && { line }), message }))
    if (inOrder.every(({ isUnsupported }) => isUnsupported)) throw new UnsupportedModelfile(file, faults)
    throw new InvalidModelfile(file, faults)
  }
}
