import type { OutputConstraint } from "../../domain/chat"
import { reasonOf } from "../../errors/base"
import { UsageError } from "../../errors/cli"
import { FileFailed } from "../../errors/store"
import { systemCode } from "../../lib/system/system-reason"
import { jsonFaultLine } from "../../lib/text/json-fault"
import { MOST_CONSTRAINT_CHARACTERS } from "../../limits"
import { readGiven } from "../terminal/given-file"

/**
 * What `--format` and `/set format` demand of an answer: `json`, or the JSON schema in a file.
 * @throws FileFailed, UsageError
 */
export async function readFormat(
  format: string | undefined,
): Promise<{ readonly output?: OutputConstraint }> {
  if (format === undefined) return {}
  if (format === "json") return { output: { type: "json" } }
  const bytes = await readGiven(format, "a JSON schema", MOST_CONSTRAINT_CHARACTERS).catch(
    (error: unknown) => {
      // A word such as "yaml" is more likely meant as the name of a format.
      if (!(error instanceof FileFailed) || systemCode(error.cause) !== "ENOENT" || /[./]/.test(format))
        throw error
      throw new UsageError(`the format must be json, or a file with a JSON schema, got '${format}'`)
    },
  )
  const text = new TextDecoder().decode(bytes)
  try {
    const schema: unknown = JSON.parse(text)
    return { output: { type: "schema", schema, isStrict: false } }
  } catch (error) {
    const line = jsonFaultLine(text)
    const place = line === undefined ? "" : `line ${line}: `
    throw new UsageError(`${format} is not a JSON schema: ${place}${reasonOf(error)}`)
  }
}
