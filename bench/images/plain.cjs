/**
 * The minimal use of the engine's own package, for comparison: generates images on the Bare runtime and prints the
 * times.
 * `bare bench/images/plain.cjs '{"model": …, "threads": …, "size": …, "steps": …, "pictures": …}'`
 */
"use strict"

const fs = require("bare-fs")
const os = require("bare-os")
const StableDiffusion = require("@qvac/diffusion-cpp")

const { model, threads, size, steps, pictures } = JSON.parse(Bare.argv[2])

function tell(message) {
  fs.writeSync(2, `\nBENCH ${JSON.stringify(message)}\n`)
}

async function main() {
  const painter = new StableDiffusion({
    files: { model },
    config: { threads, device: "cpu", mmap: true, verbosity: 0 },
  })
  await painter.load()
  for (let seed = 0; seed < pictures; seed++) {
    const startedAt = Date.now()
    const parameters = { prompt: "a cat", width: size, height: size, steps, cfg_scale: 1, seed }
    const response = await painter.run(parameters)
    const stepsAt = []
    response.onUpdate((update) => {
      if (typeof update === "string" && JSON.parse(update).step > 0) stepsAt.push(Date.now() - startedAt)
    })
    await response.await()
    tell({ stepsAt, pictureMs: Date.now() - startedAt })
  }
}

main()
  .catch((error) => fs.writeSync(2, `${error.stack}\n`))
  // A normal exit would wait for the library's threads.
  .finally(() => os.kill(os.pid(), "SIGKILL"))
