import { pipeline, Readable, type Transform } from "node:stream"
import { reasonOf } from "../../errors/base"
import { InvalidRequest, PayloadTooLarge, UnsupportedEncoding } from "../../errors/request"

/** What a decoder gives at a time. It works on other threads, and nothing is done here but to take it. */
const DECODED_BYTES = 64 * 1024

/** How far a zstd stream may refer back, as a power of two: 8 MiB, which is what RFC 9659 allows on the web. */
const ZSTD_WINDOW_LOG = 23

type Zlib = typeof import("node:zlib")

/** By the names of a Content-Encoding. */
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
 * The bytes of a request's body as they come, decoded where they are compressed: at most `limitBytes`, of what is sent
 * and of what becomes of it.
 * @throws PayloadTooLarge, UnsupportedEncoding; InvalidRequest where they are not what they are declared as; what the
 *   connection fails with
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

/** As the client spelled it; empty for none. */
function encodingOf(request: Request): string {
  const encoding = (request.headers.get("content-encoding") ?? "").trim()
  return encoding.toLowerCase() === "identity" ? "" : encoding
}

/** @throws UnsupportedEncoding, also for several encodings of one body, which nobody sends */
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
  // Whatever ends one of the two ends the other; what went wrong comes out of the decoder.
  pipeline(Readable.from(source()), decoder, () => {})
  try {
    for await (const chunk of decoder) yield chunk
  } catch (error) {
    if (failure !== undefined) throw failure
    throw new InvalidRequest(`the request body does not match its Content-Encoding: ${reasonOf(error)}`)
  }
}
