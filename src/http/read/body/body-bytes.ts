import { pipeline, Readable, type Transform } from "node:stream"
import { reasonOf } from "../../../errors/base"
import { InvalidRequest, PayloadTooLarge, UnsupportedEncoding } from "../../../errors/request"

/** The decoder's chunk size. Decoding runs on other threads; this thread only collects the result. */
const DECODED_BYTES = 64 * 1024

/** The largest zstd window, as a power of two: 8 MiB, the web's limit by RFC 9659. */
const ZSTD_WINDOW_LOG = 23

type Zlib = typeof import("node:zlib")

/** By Content-Encoding. */
const DECODERS: Readonly<Record<string, (zlib: Zlib) => Transform>> = {
  gzip: gunzip,
  "x-gzip": gunzip,
  deflate: (zlib) => zlib.createInflate({ chunkSize: DECODED_BYTES }),
  br: (zlib) => zlib.createBrotliDecompress({ chunkSize: DECODED_BYTES }),
  zstd(zlib) {
    const params = { [zlib.constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG }
    return zlib.createZstdDecompress({ chunkSize: DECODED_BYTES, params })
  },
}

function gunzip(zlib: Zlib): Transform {
  return zlib.createGunzip({ chunkSize: DECODED_BYTES })
}

/**
 * The chunks of a request's body, decompressed if necessary. Both the compressed and the decompressed size are
 * limited to `limitBytes`.
 * @throws PayloadTooLarge, UnsupportedEncoding; InvalidRequest if the content does not match its encoding; errors of
 *   the connection
 */
export async function* bodyBytes(request: Request, limitBytes: number): AsyncGenerator<Uint8Array> {
  const toDecoder = decoderOf(request)
  const declared = Number(request.headers.get("content-length") ?? 0)
  if (declared > limitBytes) throw new PayloadTooLarge(limitBytes)
  if (request.body === null) return
  if (toDecoder === undefined) return yield* limited(request.body, limitBytes)
  const decoder = toDecoder(await import("node:zlib"))
  yield* limited(decoded(limited(request.body, limitBytes), decoder), limitBytes)
}

/** Is the body compressed? */
export function isEncoded(request: Request): boolean {
  return encodingOf(request) !== ""
}

/** As spelled by the client; empty if there is none. */
function encodingOf(request: Request): string {
  const encoding = (request.headers.get("content-encoding") ?? "").trim()
  return encoding.toLowerCase() === "identity" ? "" : encoding
}

/** @throws UnsupportedEncoding, also for multiple encodings of one body, which clients do not use */
function decoderOf(request: Request): ((zlib: Zlib) => Transform) | undefined {
  const encoding = encodingOf(request)
  if (encoding === "") return undefined
  const name = encoding.toLowerCase()
  if (!Object.hasOwn(DECODERS, name)) throw new UnsupportedEncoding(encoding)
  return DECODERS[name]
}

async function* limited(chunks: AsyncIterable<Uint8Array>, limitBytes: number): AsyncGenerator<Uint8Array> {
  let length = 0
  for await (const chunk of chunks) {
    length += chunk.byteLength
    if (length > limitBytes) throw new PayloadTooLarge(limitBytes)
    yield chunk
  }
}

async function* decoded(chunks: AsyncIterable<Uint8Array>, decoder: Transform): AsyncGenerator<Uint8Array> {
  let failure: unknown
  const source = async function* () {
    try {
      yield* chunks
    } catch (error) {
      failure = error
      throw error
    }
  }
  // Ending either stream ends the other; errors are reported by the decoder.
  pipeline(Readable.from(source()), decoder, () => {})
  try {
    for await (const chunk of decoder) yield chunk
  } catch (error) {
    if (failure !== undefined) throw failure
    throw new InvalidRequest(`the request body does not match its Content-Encoding: ${reasonOf(error)}`)
  }
}
