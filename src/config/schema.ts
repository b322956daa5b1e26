import { flaglessSettings } from "./sections/flagless"
import { mediaSettings, visionSettings } from "./sections/images"
import { kvDiskSettings } from "./sections/kv-disk"
import { capacitySettings } from "./sections/limits"
import { logFileSettings, logSettings } from "./sections/log"
import { loraSettings } from "./sections/loras"
import { modelSettings, profileSettings, residencySettings } from "./sections/model"
import { missingModelSettings, pgpSettings, pullSettings, storeSettings } from "./sections/pull"
import { responseSettings } from "./sections/responses"
import { metricsSettings, serverSettings } from "./sections/server"

/** Settings that can be set per model. */
export const perModelSettings = { ...modelSettings, ...residencySettings }

/** All settings. */
export const allSettings = {
  ...serverSettings,
  ...flaglessSettings,
  ...storeSettings,
  ...pullSettings,
  ...missingModelSettings,
  ...pgpSettings,
  ...capacitySettings,
  ...mediaSettings,
  ...visionSettings,
  ...kvDiskSettings,
  ...responseSettings,
  ...loraSettings,
  ...logSettings,
  ...logFileSettings,
  ...metricsSettings,
  ...profileSettings,
  ...perModelSettings,
}
