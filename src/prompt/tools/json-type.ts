/** The types of JSON values. */
export type JsonType = "string" | "number" | "boolean" | "null" | "object" | "array"
