import { XllmError } from "./base"

/** A model that the converter does not know how to convert, or a conversion that cannot be done. */
export class CannotConvert extends XllmError {
  /** Without the source. */
  readonly reason: string

  /** `source`: the folder or file that it is about. */
  constructor(source: string, reason: string) {
    super("cannot_convert", 400, `${source}: ${reason}`, { publicMessage: reason })
    this.reason = reason
  }
}
