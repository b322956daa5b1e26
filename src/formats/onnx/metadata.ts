/** Field number of `metadata_props` in ONNX's ModelProto, and protobuf's length-delimited wire type. */
const METADATA_FIELD = 14
const LENGTH = 2

const encoder = new TextEncoder()

/**
 * Encodes metadata as bytes to append to an ONNX file: the file is one protobuf message, in which a repeated
 * field may be anywhere. If a key exists already, ONNX Runtime uses the last.
 */
export function encodeMetadata(entries: Readonly<Record<string, string | number>>): Uint8Array {
  return Buffer.concat(
    Object.entries(entries).map(([key, value]) =>
      lengthPrefixed(METADATA_FIELD, Buffer.concat([text(1, key), text(2, String(value))])),
    ),
  )
}

function text(field: number, value: string): Uint8Array {
  return lengthPrefixed(field, encoder.encode(value))
}

function lengthPrefixed(field: number, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(field * 8 + LENGTH, ...varint(bytes.length)), bytes])
}

function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80)
    rest = Math.floor(rest / 128)
  }
  return [...bytes, rest]
}
