import { settingsOfModel } from "../../src/config/model-settings"

/** The settings of a model for which nothing is set anywhere. */
export const BUILT_IN_SETTINGS = settingsOfModel({ flags: {}, environment: {} }, { name: "" })
