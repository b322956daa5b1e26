import { open } from "node:fs/promises"
import type { Key } from "openpgp"
import { reasonOf } from "../../errors/base"
import { SignatureRefused } from "../../errors/store"
import { fetchBytes } from "./transfer/fetch-text"
import type { RemoteFile } from "./transfer/remote-file"
import type { SourceContext } from "./transfer/source-context"

/** Suffixes of a file's name that name its signature. */
const ENDINGS = [".asc", ".sig"]
const CHUNK_BYTES = 512 * 1024

/**
 * The detached signature next to a file at its source.
 * @throws SignatureRefused where there is none
 */
export async function fetchSignature(remote: RemoteFile, context: SourceContext): Promise<Uint8Array> {
  for (const ending of ENDINGS) {
    const url = new URL(remote.url)
    url.pathname += ending
    const label = remote.label + ending
    const answer = await fetchBytes({ url: url.href, label, access: remote.access }, context)
    if (answer !== undefined) return answer.bytes
  }
  throw new SignatureRefused(remote.label, `there is no signature beside it (${ENDINGS.join(" or ")})`)
}

/**
 * Checks that a file is signed with a trusted key. Reads it in small parts.
 * @throws SignatureRefused
 */
export async function checkSignature(
  file: { readonly path: string; readonly label: string },
  signature: Uint8Array,
  keys: readonly Key[],
): Promise<void> {
  const { createMessage, verify } = await import("openpgp")
  const refuse = (reason: string) => new SignatureRefused(file.label, reason)
  const parsed = await parseSignature(signature).catch(() => undefined)
  if (parsed === undefined) throw refuse("the file beside it is not a signature")
  const message = await createMessage({ binary: bytesOf(file.path) })
  const { data, signatures } = await verify({
    message,
    signature: parsed,
    verificationKeys: [...keys],
    format: "binary",
  })
  // Reading this reads the file; openpgp's stream does not work with `for await` in Bun 1.4.5.
  const reader = data.getReader()
  while (!(await reader.read()).done) continue
  const results = await Promise.all(
    signatures.map(({ verified, keyID }) =>
      verified.then(
        () => undefined,
        (error: unknown) => `${keyID.toHex()}: ${reasonOf(error)}`,
      ),
    ),
  )
  if (results.length === 0) throw refuse("the file beside it is not a signature")
  if (results.includes(undefined)) return
  throw refuse(`no trusted key has signed it (${results.join("; ")}); 'xllm keys add' trusts a key`)
}

async function parseSignature(bytes: Uint8Array) {
  const { readSignature } = await import("openpgp")
  const text = new TextDecoder().decode(bytes)
  return text.includes("-----BEGIN PGP")
    ? await readSignature({ armoredSignature: text })
    : await readSignature({ binarySignature: bytes })
}

/** A file's bytes; yields to the event loop between parts. */
function bytesOf(path: string): ReadableStream<Uint8Array> {
  let file: Awaited<ReturnType<typeof open>> | undefined
  return new ReadableStream(
    {
      async pull(controller) {
        file ??= await open(path)
        const { buffer, bytesRead } = await file.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES)
        await new Promise((resolve) => setImmediate(resolve))
        if (bytesRead > 0) return controller.enqueue(buffer.subarray(0, bytesRead))
        await file.close()
        controller.close()
      },
      async cancel() {
        await file?.close()
      },
    },
    { highWaterMark: 0 },
  )
}
