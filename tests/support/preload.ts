import { plugin } from "bun"

/** Tests that start processes take longer than Bun's default of 5 s when two cores are busy. */
const TIMEOUT_MS = 60_000

// Added to each test file: bunfig.toml's `timeout` has no effect, and a preloaded file's setting applies only to the
// first test file (Bun 1.4.5). Without a line break, so that line numbers in errors stay right.
const opening = `import { setDefaultTimeout as setTimeoutOfFile } from "bun:test"; setTimeoutOfFile(${TIMEOUT_MS}); `

plugin({
  name: "test timeout",
  setup(build) {
    build.onLoad({ filter: /\.test\.ts$/ }, async ({ path }) => ({
      contents: opening + (await Bun.file(path).text()),
      loader: "ts",
    }))
  },
})
