import { setDefaultTimeout } from "bun:test"

// The `timeout` of bunfig.toml has no effect (Bun 1.4.5), and tests that start processes take longer than 5 s on two
// busy cores.
setDefaultTimeout(60_000)
