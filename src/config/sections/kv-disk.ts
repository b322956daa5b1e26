import { MAX_INT32 } from "../../limits"
import { AT_LOAD, setting } from "../setting"
import { bytes, integer, orAutomatic, text, toggle } from "../values"

/** Prompts that are kept on disk when they leave memory. */
export const kvDiskSettings = {
  kvDisk: setting(
    "kv_disk.enabled",
    toggle,
    true,
    "keep evaluated prompts on disk when they leave memory (default); --no-kv-disk does not",
    AT_LOAD,
  ),
  kvDiskDir: setting(
    "kv_disk.dir",
    orAutomatic(text("FOLDER"), "auto"),
    null,
    "directory of the prompts on disk (default ~/.xllm/cache/kv)",
    AT_LOAD,
  ),
  kvDiskMaxBytes: setting(
    "kv_disk.max_bytes",
    orAutomatic(bytes, "none"),
    2 * 1024 ** 3,
    "max disk space for them, and never more than a tenth of what is free (default 2GiB)",
    AT_LOAD,
  ),
  kvDiskMinTokens: setting(
    "kv_disk.min_tokens",
    integer("N", 1, MAX_INT32),
    256,
    "shorter prompts are not kept (default 256)",
    AT_LOAD,
  ),
}
