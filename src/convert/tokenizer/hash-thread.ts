/**
 * The thread that tokenizes a text with a tokenizer.json. Its patterns come from the file, and one can take forever: a
 * thread can be ended.
 */
import { Tokenizer } from "@huggingface/tokenizers"

declare const self: Worker

self.onmessage = ({ data }: MessageEvent<{ json: object; config: object; text: string }>) => {
  try {
    const { ids } = new Tokenizer(data.json, data.config).encode(data.text)
    const hash = new Bun.CryptoHasher("sha256").update(`[${ids.join(", ")}]`).digest("hex")
    postMessage({ hash })
  } catch (error) {
    postMessage({ reason: error instanceof Error ? error.message : String(error) })
  }
}
