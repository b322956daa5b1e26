import { LIVE, setting } from "../setting"
import { bytes, duration, integer, list, orAutomatic, orNone } from "../values"

/** More processes than any machine runs. */
const MAXIMUM_MODELS = 10_000

/** The server's capacity. */
export const capacitySettings = {
  memory: setting(
    "limits.memory",
    orAutomatic(bytes, "none"),
    null,
    "max memory for all models together (default: what is free)",
    LIVE,
  ),
  gpuMemory: setting(
    "limits.gpu_memory",
    orAutomatic(bytes, "none"),
    null,
    "max memory of each GPU for all models together (default: what is free)",
    LIVE,
  ),
  headroom: setting(
    "limits.headroom",
    orAutomatic(bytes, "auto"),
    null,
    "memory of the machine and of each GPU to keep free (default 512MiB)",
    LIVE,
  ),
  maxModels: setting(
    "limits.max_models",
    orAutomatic(integer("N", 1, MAXIMUM_MODELS), "none"),
    null,
    "max models loaded at the same time (default: as many as fit)",
    LIVE,
  ),
  queueLimit: setting(
    "queue.limit",
    integer("N", 0, 1_000_000),
    1000,
    "max queued requests per model (default 1000)",
    LIVE,
  ),
  queueTimeout: setting(
    "queue.timeout",
    orAutomatic(duration, "none"),
    null,
    "queue timeout (default: none)",
    LIVE,
  ),
  shutdownTimeout: setting(
    "shutdown_timeout",
    duration,
    30,
    "how long running answers may take to finish on shutdown (default 30s)",
    LIVE,
  ),
  simulateGpus: setting(
    "gpu.simulate",
    orAutomatic(orNone(list(bytes, "SIZE,…"), "none"), "off"),
    null,
    "plan as if there were GPUs of these sizes; models run on the CPU",
  ),
}
