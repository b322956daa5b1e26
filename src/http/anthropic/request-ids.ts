import { Elysia } from "elysia"
import { pathOf, requestContextOf } from "../context/request-context"
import { anthropicDialect } from "./dialect"

/** Where Anthropic's clients look for a request's id. */
const HEADER = "request-id"

/** Adds the id of a request to its response, under the name that this API has for it. */
export function anthropicRequestIds() {
  return new Elysia({ name: "anthropic-request-ids" }).onRequest(({ request, set }) => {
    if (anthropicDialect.match(pathOf(request))) set.headers[HEADER] = requestContextOf(request).id
  })
}
