import { DEFAULT_UPLOAD_BYTES } from "../../limits"
import { LIVE, setting } from "../setting"
import { bytes, orAutomatic, stay, text } from "../values"

/** The storage of generated and uploaded files. */
export const mediaSettings = {
  uploadLimit: setting(
    "limits.upload",
    bytes,
    DEFAULT_UPLOAD_BYTES,
    "largest form with audio or pictures that is taken (default 50MiB)",
    LIVE,
  ),
  imagesDir: setting(
    "images.dir",
    orAutomatic(text("FOLDER"), "auto"),
    null,
    "folder of images that are fetched by URL (default ~/.xllm/images)",
  ),
  imagesTtl: setting(
    "images.ttl",
    orAutomatic(stay, "forever"),
    3600,
    "how long such an image can be fetched (default 1h)",
    LIVE,
  ),
  imagesMaxBytes: setting(
    "images.max_bytes",
    orAutomatic(bytes, "none"),
    1024 ** 3,
    "most room that such images take; the oldest go first (default 1GiB)",
    LIVE,
  ),
}
