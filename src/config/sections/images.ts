import { DEFAULT_MEDIA_BYTES, DEFAULT_MEDIA_FILES, DEFAULT_UPLOAD_BYTES } from "../../limits"
import { LIVE, setting } from "../setting"
import { bytes, integer, orAutomatic, stay, text, toggle } from "../values"

/** More pictures than any model keeps apart. */
const MOST_FILES = 1024

/** What requests may show to a model. */
export const visionSettings = {
  visionMaxFiles: setting(
    "vision.max_files",
    integer("N", 0, MOST_FILES),
    DEFAULT_MEDIA_FILES,
    "max images and sounds of one request, with its whole conversation (default 64)",
    LIVE,
  ),
  visionMaxBytes: setting(
    "vision.max_bytes",
    bytes,
    DEFAULT_MEDIA_BYTES,
    "max size of one image or sound of a chat (default 20MiB)",
    LIVE,
  ),
  visionFetchUrls: setting(
    "vision.fetch_urls",
    toggle,
    false,
    "load images of chats from http(s) URLs; private addresses are always refused (default off)",
    LIVE,
  ),
}

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
