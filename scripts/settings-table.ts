import { flagName, variablesOf } from "../src/config/load"
import { allSettings } from "../src/config/schema"
import { flaglessSettings } from "../src/config/sections/flagless"
import type { Setting } from "../src/config/setting"

/** The table of all settings as rows of Markdown cells. */
export function settingsTable(): readonly (readonly string[])[] {
  const heading = ["setting", "flag", "environment variable", "default", "change", "meaning"]
  const rows = Object.entries<Setting<unknown>>(allSettings).map(([key, setting]) => [
    code(setting.path),
    key in flaglessSettings ? "" : code(`--${flagName(key)}`),
    variablesOf(key, setting)
      .filter((name) => name !== variableOf(setting.path))
      .map(code)
      .join(", "),
    code(setting.value.show(setting.fallback)),
    setting.takesEffect === "now" ? "at once" : setting.takesEffect === "load" ? "next load" : "restart",
    setting.description.replace(/ \(default.*\)|(?<=memory) \(default\)/g, ""),
  ])
  return [heading, ...rows]
}

function variableOf(path: string): string {
  return `XLLM_${path.replaceAll(".", "_").toUpperCase()}`
}

function code(text: string): string {
  return `\`${text.replaceAll("|", "\\|")}\``
}
