import type { AdapterChoice } from "../../domain/adapters"
import { InvalidRequest } from "../../errors/request"
import { ADAPTERS, MAX_INT32, TEXTS } from "../../limits"
import { isJsonObject } from "./body/json-body"
import { checkList, Fields, invalidField } from "./fields"

/**
 * llama-server's field `lora`, where adapters may have names instead of numbers. Undefined where it is empty, as there:
 * the adapters that are set for the model.
 * @throws InvalidRequest
 */
export function readAdapters(fields: Fields): readonly AdapterChoice[] | undefined {
  const given = fields.unchecked("lora")
  const choices = given === undefined ? [] : readAdapterChoices("lora", given)
  return choices.length === 0 ? undefined : choices
}

/** `path`: the list's, for messages. @throws InvalidRequest */
export function readAdapterChoices(path: string, value: unknown): readonly AdapterChoice[] {
  return checkList(path, value, ADAPTERS.ofRequest).map((entry, index) =>
    readChoice(`${path}[${index}]`, entry),
  )
}

function readChoice(path: string, value: unknown): AdapterChoice {
  if (!isJsonObject(value)) throw invalidField(path, "an object with the id or name of an adapter", value)
  const fields = new Fields(value, `${path}.`)
  const id = fields.integer("id", { min: 0, max: MAX_INT32 })
  const name = fields.text("name", TEXTS.name)
  const adapter = id ?? name
  if (adapter === undefined || (id !== undefined && name !== undefined))
    throw new InvalidRequest(`${path} must have either an id or a name`, path)
  return { adapter, scale: fields.number("scale", ADAPTERS.scale) ?? 1 }
}
