/** Field number of `metadata_props` in ONNX's ModelProto, and protobuf's wire type for what has a length. */
const METADATA_FIELD = 14
const LENGTH = 2

const encoder = new TextEncoder()

/**
 * Metadata as the bytes that add it to an ONNX file when they are appended: a repeated field of protobuf may stand
 * anywhere in a message, and the whole file is one. Of a key that is there already ONNX Runtime takes the last.
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
