import type { Settings } from "../../config/resolve"
import type { SystemReport } from "../../engine/contract"
import { createLogger } from "../../log/logger"
import { createLocal } from "../serve/compose"

/** The devices of this machine, as the backends see them. */
export async function readSystem(settings: Settings): Promise<SystemReport> {
  const { engine } = await createLocal({ settings, log: createLogger({ level: "off" }) })
  try {
    return await engine.system()
  } finally {
    await engine.close()
  }
}
