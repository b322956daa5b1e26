import type { Settings } from "../../config/resolve"
import { ServerClient } from "../client/server-client"
import { printable } from "../terminal/output"
import type { Results } from "./results"

/** A server that computes on the same machine takes the cores that are measured. */
export async function warnOfBusyServer(settings: Settings, results: Results): Promise<void> {
  const client = new ServerClient(settings.server)
  if ((await client.look()) !== "there") return
  const running = await client.running().catch(() => undefined)
  if (running === undefined || running === 0) return
  results.warn(
    `contended: the xLLM server at ${printable(client.name)} is answering ${running} ${running === 1 ? "request" : "requests"}; ` +
      "'--via http' measures it instead",
  )
}
