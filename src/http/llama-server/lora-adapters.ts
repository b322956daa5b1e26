import { Elysia } from "elysia"
import type { Engine } from "../../engine/contract"
import { readAdapterChoices } from "../read/adapters"
import { readJson } from "../read/body/json-body"

/**
 * GET and POST /lora-adapters: the adapters that a model can use, and how strongly they are applied to requests that
 * name none. Where several models are there, `?model=` names one.
 */
export function loraAdapterRoutes({ engine }: { readonly engine: Engine }) {
  const modelOf = async (request: Request): Promise<string> =>
    (await engine.resolve(new URL(request.url).searchParams.get("model") ?? undefined, "chat")).name
  return new Elysia({ name: "llama-server-lora-adapters" })
    .get("/lora-adapters", async ({ request }) => {
      const adapters = await engine.adapters(await modelOf(request))
      // A name for the path: clients need not know where files are.
      return adapters.map(({ name, scale }, id) => ({ id, name, path: `${name}.gguf`, scale }))
    })
    .post(
      "/lora-adapters",
      async ({ request }) => {
        const choices = readAdapterChoices("the body", await readJson(request))
        await engine.setAdapters(await modelOf(request), choices)
        return { success: true }
      },
      { parse: "none" },
    )
}
