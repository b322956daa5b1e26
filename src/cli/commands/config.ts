import { readSettings, type Settings } from "../../config/resolve"
import { type EffectiveSetting, effectiveSettings } from "../../config/effective"
import { usualConfigFile } from "../../config/file"
import { defineCommand } from "../args/command"
import { switchFlag } from "../args/flags"
import { type AutomaticValue, automaticValue } from "../show/automatic-values"
import { printable, table, toJson } from "../terminal/output"
import { serveFlags } from "./serve"

export const command = defineCommand({
  name: "config",
  summary: "Show the effective settings",
  words: "",
  minimumWords: 0,
  maximumWords: 0,
  details: `Shows which configuration file is read, and every setting with its value and where it was set: by a flag, by an
environment variable, in the file (~/.xllm/config.yaml or config.json; --config or XLLM_CONFIG name another), or by
default, in that order of precedence. What 'auto' and 'none' resolve to on this machine is shown in parentheses, where
it is known without a model. Takes the flags of 'serve', to show what they would change.`,
  examples: [
    { line: "xllm config", does: "the settings that 'xllm serve' would use" },
    { line: "xllm config --schema > xllm.schema.json", does: "a JSON Schema of the file, for editors" },
    { line: "xllm config --config ./test.yaml --json", does: "check another file, with JSON output" },
  ],
  flags: {
    json: switchFlag("print JSON"),
    schema: switchFlag("print the JSON Schema of the configuration file"),
    ...serveFlags,
  },
  async run({ flags: { json, schema, ...flags }, io }) {
    if (schema) {
      const { fileSchema } = await import("../../config/file-schema")
      return io.write(toJson({ $schema: "https://json-schema.org/draft/2020-12/schema", ...fileSchema() }))
    }
    const settings = await readSettings(flags, io.environment)
    const shown = effectiveSettings(settings.inputs).map((setting) => ({
      ...setting,
      automatic:
        setting.value === null ? automaticValue(setting.path, settings, io.stderrIsTerminal) : undefined,
    }))
    io.write(
      json ? toJson(toJsonObject(shown, settings)) : `${fileLine(settings)}\n\n${settingsTable(shown)}`,
    )
  },
})

/** A setting, with its effective value if it is chosen automatically. */
interface ShownSetting extends EffectiveSetting {
  readonly automatic: AutomaticValue | undefined
}

function fileLine({ file, environment }: Settings): string {
  if (file !== undefined) return `Configuration file: ${printable(file.path)}`
  return `Configuration file: none (it would be ${printable(usualConfigFile(environment))})`
}

function settingsTable(settings: readonly ShownSetting[]): string {
  const rows = settings.map(({ path, shown, origin, automatic }) => [
    printable(path),
    printable(automatic === undefined ? shown : `${shown} (${automatic.shown})`),
    printable(origin.name),
  ])
  return table(["SETTING", "VALUE", "FROM"], rows)
}

/**
 * `{"config_file": {"path": …}, "server.port": {"value": 1, "source": "flag", "from": "--port"}, …}`; `effective` is
 * present if the value is chosen automatically and known.
 */
function toJsonObject(settings: readonly ShownSetting[], { file, environment }: Settings) {
  const entries = settings.map(({ path, value, origin, automatic }) => {
    const effective = automatic?.value === undefined ? {} : { effective: automatic.value }
    return [path, { value, ...effective, source: origin.source, from: origin.name }]
  })
  const configFile = { path: file?.path ?? null, default_path: usualConfigFile(environment) }
  return { config_file: configFile, ...Object.fromEntries(entries) }
}
