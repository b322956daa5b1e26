import { LIVE, setting } from "../setting"
import { bytes, duration, integer, list, orAutomatic, orNone } from "../values"
import { MAXIMUM_MODELS } from "./model"

/** The server's capacity. */
export const capacitySettings = {
  memory: setting(
    "limits.memory",
    orAutomatic(bytes, "none"),
    null,
    "most memory that all models together may take (default: what is free)",
    LIVE,
  ),
  gpuMemory: setting(
    "limits.gpu_memory",
    orAutomatic(bytes, "none"),
    null,
    "most memory of each GPU that all models together may take (default: what is free)",
    LIVE,
  ),
  headroom: setting(
    "limits.headroom",
    orAutomatic(bytes, "auto"),
    null,
    "memory of the machine and of each GPU that models leave free (default 512MiB)",
    LIVE,
  ),
  maxModels: setting(
    "limits.max_models",
    orAutomatic(integer("N", 1, MAXIMUM_MODELS), "none"),
    null,
    "most models that are loaded at the same time (default: as many as fit)",
    LIVE,
  ),
  queueLimit: setting(
    "queue.limit",
    integer("N", 0, 1_000_000),
    1000,
    "most requests that wait for one model (default 1000)",
    LIVE,
  ),
  queueTimeout: setting(
    "queue.timeout",
    orAutomatic(duration, "none"),
    null,
    "how long a request may wait to be started (default: as long as it likes)",
    LIVE,
  ),
  shutdownTimeout: setting(
    "shutdown_timeout",
    duration,
    30,
    "how long answers may go on after the server is told to end (default 30s)",
    LIVE,
  ),
  simulateGpus: setting(
    "gpu.simulate",
    orAutomatic(orNone(list(bytes, "SIZE,…"), "none"), "off"),
    null,
    "plan as if there were GPUs of these sizes; models are computed on CPUs then",
  ),
}
