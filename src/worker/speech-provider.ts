import { mkdir, rename } from "node:fs/promises"
import { join } from "node:path"

/**
 * ONNX Runtime's threads wait for work in a loop: with two threads Whisper took 1.6 times the CPU time, which other models
 * on the same cores lacked, and no less time by the clock.
 */
const OPTIONS = `SessionConfig.session.intra_op.allow_spinning=0
SessionConfig.session.inter_op.allow_spinning=0
`

const FILE_NAME = "speech-session.conf"

/** The provider of speech models in sherpa-onnx's form: the CPU, with a file of options that is written if needed. */
export async function speechProvider(runtimeFolder: string): Promise<string> {
  const path = join(runtimeFolder, FILE_NAME)
  const written = await Bun.file(path)
    .text()
    .catch(() => undefined)
  if (written !== OPTIONS) {
    await mkdir(runtimeFolder, { recursive: true })
    const unfinished = `${path}.${process.pid}.tmp`
    await Bun.write(unfinished, OPTIONS)
    await rename(unfinished, path)
  }
  return `cpu:${path}`
}
