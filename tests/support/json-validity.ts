import Ajv from "ajv/dist/2020"
import addFormats from "ajv-formats"

/** What is wrong with a JSON text, as an independent validator sees it; undefined: nothing. */
export type Judge = (text: string) => string | undefined

/** Undefined for schemas that refer to themselves without end: the validator does not take those. */
export function judgeOf(schema: Record<string, unknown>): Judge | undefined {
  const ajv = new Ajv({ strict: false, multipleOfPrecision: 6, logger: false })
  addFormats(ajv)
  let validate: ReturnType<typeof ajv.compile>
  try {
    validate = ajv.compile(schema)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
  return (text) => {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      return "it is no JSON"
    }
    return validate(value) ? undefined : ajv.errorsText(validate.errors)
  }
}
