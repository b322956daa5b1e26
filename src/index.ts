import { main, watchUncaught } from "./cli/main"

const argv = process.argv.slice(2)
// A worker's standard error is the server's log: there the runtime's own words are wanted.
if (argv[0] !== "worker") watchUncaught()
await main(argv)
