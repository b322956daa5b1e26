import { DEFAULT_UPLOAD_BYTES } from "../../limits"
import { LIVE, setting } from "../setting"
import { bytes, orAutomatic, stay, text } from "../values"

/** The storage of generated and uploaded files. */
export const mediaSettings = {
  uploadLimit: setting(
    "limits.upload",
    bytes,
    DEFAULT_UPLOAD_BYTES,
    "max size of a file with audio or images (default 512MiB)",
    LIVE,
  ),
  imagesDir: setting(
    "images.dir",
    orAutomatic(text("FOLDER"), "auto"),
    null,
    "directory of images that are returned as URLs (default ~/.xllm/images)",
  ),
  imagesTtl: setting(
    "images.ttl",
    orAutomatic(stay, "forever"),
    3600,
    "how long these images are kept (default 1h)",
    LIVE,
  ),
  imagesMaxBytes: setting(
    "images.max_bytes",
    orAutomatic(bytes, "none"),
    1024 ** 3,
    "max disk space for these images; the oldest are deleted first (default 1GiB)",
    LIVE,
  ),
}
