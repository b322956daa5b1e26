import { InvalidModelfile } from "../../errors/model"
import { formatSize } from "../../lib/text/bytes"
import { MODEL_TEXTS } from "../../limits"

/**
 * Decodes a Modelfile: UTF-8, with or without a byte order mark, or UTF-16.
 * @throws InvalidModelfile if the bytes are not text
 */
export function decodeModelfile(bytes: Uint8Array, file: string): string {
  const fail = (message: string): never => {
    throw new InvalidModelfile(file, [{ message }])
  }
  if (startsWith(bytes, "GGUF"))
    return fail(`it is a model, not a Modelfile; write a file with the line 'FROM ${file}' and give that`)
  // Licences are long, but not this long: probably a model file was given by mistake.
  if (bytes.length > MODEL_TEXTS.modelfileBytes) {
    return fail(`it is larger than the limit for a Modelfile (${formatSize(MODEL_TEXTS.modelfileBytes)})`)
  }
  try {
    const text = new TextDecoder(encodingOf(bytes), { fatal: true }).decode(bytes)
    return text.includes("\0") ? fail("it is not a text file: it has NUL characters") : text
  } catch (error) {
    if (error instanceof InvalidModelfile) throw error
    return fail("it is not text in UTF-8 or UTF-16")
  }
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    .subarray(0, text.length)
    .equals(Buffer.from(text))
}

/** Uses the byte order mark; without one, the half of the first character that is zero. */
function encodingOf([first, second]: Uint8Array): "utf-8" | "utf-16le" | "utf-16be" {
  if ((first === 0xff && second === 0xfe) || (first !== 0 && second === 0)) return "utf-16le"
  if ((first === 0xfe && second === 0xff) || (first === 0 && second !== 0)) return "utf-16be"
  return "utf-8"
}
