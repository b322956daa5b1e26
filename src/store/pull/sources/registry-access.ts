import { NotAuthorized } from "../../../errors/store"
import { textAt, toRecord } from "../../../lib/json"
import { drop, type HttpClient, type HttpResponse } from "../transfer/http-client"
import type { Access } from "../transfer/remote-file"

/** A registry's authentication challenge. */
interface Challenge {
  readonly realm: string
  readonly service: string | undefined
  readonly scope: string | undefined
}

/** Access to a registry that issues anonymous tokens, as container registries do. */
export class RegistryAccess implements Access {
  readonly #label: string
  readonly #client: HttpClient
  readonly #tokenHosts: readonly string[]
  #token: Promise<string> | undefined

  /** @param tokenHosts hosts that may issue tokens, besides the registry's own */
  constructor(label: string, client: HttpClient, tokenHosts: readonly string[]) {
    this.#label = label
    this.#client = client
    this.#tokenHosts = tokenHosts
  }

  async authorization(refusal: HttpResponse | undefined, signal: AbortSignal): Promise<string | undefined> {
    if (refusal !== undefined) this.#token = this.#fetchToken(refusal, signal)
    try {
      const token = await this.#token
      return token === undefined ? undefined : `Bearer ${token}`
    } catch (error) {
      this.#token = undefined
      throw error
    }
  }

  async #fetchToken({ response, url }: HttpResponse, signal: AbortSignal): Promise<string> {
    const host = new URL(url).host
    const challenge = parseChallenge(response.headers.get("www-authenticate"))
    if (challenge === undefined) throw new NotAuthorized(this.#label, `${host} requires a login`)
    const realm = URL.parse(challenge.realm)
    if (realm === null || (realm.host !== host && !this.#tokenHosts.includes(realm.host))) {
      throw new NotAuthorized(this.#label, `${host} sends to '${challenge.realm}' for a token`)
    }
    if (challenge.service !== undefined) realm.searchParams.set("service", challenge.service)
    for (const scope of challenge.scope?.split(" ") ?? []) realm.searchParams.append("scope", scope)
    const answer = await this.#client.open({ url: realm.href, signal })
    if (!answer.response.ok) {
      await drop(answer)
      throw new NotAuthorized(this.#label, `${realm.host} gives no token (${answer.response.status})`)
    }
    const token = tokenIn(await this.#client.text(answer))
    if (token === undefined) throw new NotAuthorized(this.#label, `${realm.host} gives no token`)
    return token
  }
}

function tokenIn(text: string): string | undefined {
  try {
    const reply = toRecord(JSON.parse(text))
    return textAt(reply, "token") ?? textAt(reply, "access_token")
  } catch {
    return undefined
  }
}

/** Parses `Bearer realm="https://…",service="…",scope="…"`; `undefined` for any other scheme. */
export function parseChallenge(header: string | null): Challenge | undefined {
  const [, parameters] = /^\s*Bearer\s+(.*)$/i.exec(header ?? "") ?? []
  if (parameters === undefined) return undefined
  const found = new Map<string, string>()
  for (const [, key = "", quoted, bare] of parameters.matchAll(/([a-z_]+)\s*=\s*(?:"([^"]*)"|([^\s,]+))/gi)) {
    found.set(key.toLowerCase(), quoted ?? bare ?? "")
  }
  const realm = found.get("realm")
  return realm === undefined ? undefined : { realm, service: found.get("service"), scope: found.get("scope") }
}
