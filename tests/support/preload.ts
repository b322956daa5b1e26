import { plugin } from "bun"

/** Tests that start processes take longer than Bun's 5 s where two cores are busy. */
const TIMEOUT_MS = 60_000

// Each file is told by a line of its own: bunfig.toml's `timeout` has no effect, and what a preloaded file sets counts
// for the first test file only (Bun 1.4.5). Without a line end, so that the lines of errors are right.
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
