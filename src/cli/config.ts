import { effectiveSettings, type EffectiveSetting } from "../config/effective"
import { gatherInputs } from "../config/settings"
import { defineCommand } from "./command"
import { switchFlag } from "./flags"
import { table, toJson } from "./output"
import { serveFlags } from "./serve"

export const command = defineCommand({
  name: "config",
  summary: "Show the settings that count",
  words: "",
  minimumWords: 0,
  maximumWords: 0,
  details: `Shows every setting with its value and where that was said: by a flag, by a variable, in the configuration file
(~/.xllm/config.yaml or config.json; --config or XLLM_CONFIG name another), or nowhere. That is also their order, the
strongest first. It takes the flags of 'serve', to show what they would change.`,
  examples: [
    { line: "xllm config", does: "what 'xllm serve' would work with" },
    { line: "xllm config --schema > xllm.schema.json", does: "a JSON Schema of the file, for editors" },
    { line: "xllm config --config ./test.yaml --json", does: "check another file, for a program" },
  ],
  flags: {
    json: switchFlag("print JSON"),
    schema: switchFlag("print the JSON Schema of the configuration file"),
    ...serveFlags,
  },
  async run({ flags: { json, schema, ...flags }, io }) {
    if (schema) {
      const { fileSchema } = await import("../config/file-schema")
      return io.write(toJson({ $schema: "https://json-schema.org/draft/2020-12/schema", ...fileSchema() }))
    }
    const settings = effectiveSettings(await gatherInputs(flags, io.environment))
    io.write(json ? toJson(toJsonObject(settings)) : settingsTable(settings))
  },
})

function settingsTable(settings: readonly EffectiveSetting[]): string {
  const rows = settings.map(({ path, shown, origin }) => [path, shown, origin.name])
  return table(["SETTING", "VALUE", "FROM"], rows)
}

/** `{"server.port": {"value": 1, "source": "flag", "from": "--port"}, …}` */
function toJsonObject(settings: readonly EffectiveSetting[]) {
  return Object.fromEntries(
    settings.map(({ path, value, origin }) => [path, { value, source: origin.source, from: origin.name }]),
  )
}
