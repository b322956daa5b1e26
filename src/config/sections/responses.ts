import { LIVE, setting } from "../setting"
import { bytes, orAutomatic, stay, toggle } from "../values"

/** Answers of /v1/responses that later requests may continue. */
export const responseSettings = {
  responsesStore: setting(
    "responses.store",
    toggle,
    true,
    "keep answers of /v1/responses on disk, so that others can continue them (default); --no-responses-store does not",
    LIVE,
  ),
  responsesTtl: setting(
    "responses.ttl",
    orAutomatic(stay, "forever"),
    30 * 86_400,
    "how long these answers are kept after their last use (default 30d)",
    LIVE,
  ),
  responsesMaxBytes: setting(
    "responses.max_bytes",
    orAutomatic(bytes, "none"),
    256 * 1024 ** 2,
    "max disk space for these answers; those not used for longest are deleted first (default 256MiB)",
    LIVE,
  ),
}
