import { LIVE, setting } from "../setting"
import { bytes, integer, oneOf, orAutomatic, text, toggle } from "../values"

/** What is logged, and where. */
export const logSettings = {
  logLevel: setting(
    "log.level",
    oneOf("debug", "info", "warn", "error", "off"),
    "info",
    "how much is logged (default info)",
    { takesEffect: "now", variable: "XLLM_LOG" },
  ),
  logFormat: setting(
    "log.format",
    orAutomatic(oneOf("pretty", "json"), "auto"),
    null,
    "form of the log (default pretty on a terminal, json elsewhere)",
  ),
}

/** The log files of a server. */
export const logFileSettings = {
  logFile: setting("log.file", orAutomatic(text("PATH"), "none"), null, "log to this file, not to stderr"),
  logKeep: setting("log.keep", integer("N", 1, 1000), 7, "how many old log files are kept (default 7)"),
  logMaxSize: setting(
    "log.max_size",
    bytes,
    100 * 1024 ** 2,
    "a log file that is larger is replaced, as it is every day (default 100MiB)",
  ),
  logContent: setting("log.content", toggle, false, "log the texts of prompts and answers too", LIVE),
}
