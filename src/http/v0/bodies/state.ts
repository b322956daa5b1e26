import type { HealthBody } from "./health"
import type { MemoriesBody } from "./memory"

/** The event `state`: what GET /v0/health and /v0/ps have. */
export type StateBody = HealthBody & { readonly memory: MemoriesBody }
