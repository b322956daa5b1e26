/**
 * A server over the models of a folder, `watched-server.ts FOLDER`, that watches its event loop. Sends its URL first.
 * On "read" it sends the most CPU milliseconds spent between two samples of the loop since the last "read". Unlike a
 * delay, CPU time is independent of the machine's other load.
 */
import { join } from "node:path"
import { ImageFiles } from "../../src/http/image-files/image-files"
import { Uploads } from "../../src/http/read/body/uploads"
import { ResponseStore } from "../../src/http/response-store/response-store"
import { createApp } from "../../src/http/server/app"
import { listen } from "../../src/http/server/listen"
import { createLogger } from "../../src/log/logger"
import { realEngine } from "./real/real-engine"

/** The sampling interval of the loop, which may run many iterations in between. */
const LOOK_MS = 2

const [folder = ""] = process.argv.slice(2)
const engine = realEngine(folder, { settings: { slots: 16 } })
const log = createLogger({ level: "info", format: "json", write: () => {} })
const app = createApp({
  engine,
  version: "1.2.3",
  startedAt: new Date(),
  uploads: new Uploads(join(folder, "uploads")),
  images: new ImageFiles({
    folder: join(folder, "images"),
    limits: () => ({ ttlSeconds: null, maxBytes: null }),
  }),
  responses: new ResponseStore({
    path: join(folder, "responses.sqlite"),
    limits: () => ({ isEnabled: true, ttlSeconds: null, maxBytes: null }),
    log,
  }),
  log,
})

let busiestMs = 0
let usedBefore = usedMs()

function usedMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

setInterval(() => {
  const used = usedMs()
  busiestMs = Math.max(busiestMs, used - usedBefore)
  usedBefore = used
}, LOOK_MS)

process.on("message", (message) => {
  if (message !== "read") return
  process.send?.(busiestMs)
  busiestMs = 0
})
process.on("disconnect", () => void engine.close().finally(() => process.exit(0)))

const { url } = await listen(app, { host: "127.0.0.1", port: 0 })
process.send?.(url)
