import { LIVE, setting } from "../setting"
import { bytes, integer, oneOf, orAutomatic, text, toggle } from "../values"

/** What is logged, and where. */
export const logSettings = {
  logLevel: setting(
    "log.level",
    oneOf("debug", "info", "warn", "error", "off"),
    "info",
    "log level (default info)",
    { takesEffect: "now", variable: "XLLM_LOG" },
  ),
  logFormat: setting(
    "log.format",
    orAutomatic(oneOf("pretty", "json"), "auto"),
    null,
    "log format (default pretty on a terminal, json elsewhere)",
  ),
}

/** The log files of a server. */
export const logFileSettings = {
  logFile: setting("log.file", orAutomatic(text("PATH"), "none"), null, "log to this file instead of stderr"),
  logKeep: setting("log.keep", integer("N", 1, 1000), 7, "number of old log files to keep (default 7)"),
  logMaxSize: setting(
    "log.max_size",
    bytes,
    100 * 1024 ** 2,
    "rotate the log file at this size, and daily (default 100MiB)",
  ),
  logContent: setting("log.content", toggle, false, "also log the texts of prompts and answers", LIVE),
}
