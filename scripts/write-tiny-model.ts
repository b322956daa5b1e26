import { writeTinyModel } from "../tests/support/files/tiny-model"

/** `bun scripts/write-tiny-model.ts FILE`: writes a model with random weights, for trying things without a download. */
const [path] = process.argv.slice(2)
if (path === undefined) throw new Error("where to? bun scripts/write-tiny-model.ts FILE")
await writeTinyModel(path)
