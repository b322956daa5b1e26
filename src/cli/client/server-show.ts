import type { Settings } from "../../config/resolve"
import type { ModelFacts } from "../../domain/model"
import { UsageError } from "../../errors/cli"
import { printModelfile } from "../../formats/modelfile/print"
import { parametersOf } from "../../store/default-parameters"
import { isPath } from "../args/model-path"
import { instructionsOfTexts, modelTextsOf } from "../../store/model-texts"
import { toShowObject } from "../show/show-json"
import { parametersText, showText } from "../show/show-text"
import { toJson } from "../terminal/output"
import { remoteRunner } from "./remote-runner"
import { ServerClient } from "./server-client"

/** What `show` prints of a server's model. */
export type ServerTopic = "template" | "parameters" | "system" | "license" | "modelfile" | "json"

/**
 * The output of `show` for a model of a server, which reports less than the files contain.
 * @param topic undefined: the overview
 * @throws UsageError for a path; ModelNotFound
 */
export async function showOnServer(
  model: string,
  topic: ServerTopic | undefined,
  settings: Settings,
): Promise<string> {
  if (isPath(model)) throw new UsageError(`a server accepts model names, not paths, got '${model}'`)
  const { backend, find } = remoteRunner(new ServerClient(settings.server), settings, true)
  const name = await find(model)
  const facts = await backend.show(name)
  return textOf(facts, name, topic) ?? ""
}

function textOf(facts: ModelFacts, name: string, topic: ServerTopic | undefined): string | undefined {
  const texts = modelTextsOf(facts, name)
  switch (topic) {
    case "template":
    case "system":
    case "license":
      return texts[topic]
    case "parameters":
      return parametersText(parametersOf(facts.defaults))
    case "modelfile":
      return printModelfile(instructionsOfTexts(texts))
    case "json":
      return toJson(toShowObject(facts, undefined, undefined, undefined))
    case undefined:
      return showText(facts)
    default:
      return topic satisfies never
  }
}
