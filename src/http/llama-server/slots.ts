import { Elysia } from "elysia"
import type { SlotRequest, SlotResult } from "../../domain/slots"
import type { Engine } from "../../engine/contract"
import { InvalidRequest } from "../../errors/request"
import { NUMBERS, TEXTS } from "../../limits"
import { abortControllerFor } from "../context/consume"
import { mayBeSilent } from "../context/idle"
import { requestContextOf } from "../context/request-context"
import { readJsonObject } from "../read/body/json-body"
import { checkInteger, Fields } from "../read/fields"
import { readHeaderOptions } from "../read/headers"
import { readModel } from "../read/options"

/**
 * POST /slots/:id?action=save|restore|erase: keeps what a sequence has cached under a name on disk, reads it from there,
 * or drops it. Where several models are there, `?model=` or `model` names one.
 */
export function slotActionRoutes(engine: Engine) {
  return new Elysia({ name: "llama-server-slot-actions" }).post(
    "/slots/:id",
    async ({ params, request, server }) => {
      const { searchParams } = new URL(request.url)
      const action = readAction(searchParams.get("action"))
      // To erase a slot clients send no body at all.
      const fields = new Fields(action === "erase" ? {} : await readJsonObject(request))
      const asked = searchParams.get("model") ?? readModel(fields)
      const slot = readSlot(params.id)
      const name = action === "erase" ? undefined : readFilename(fields)
      mayBeSilent(request, server)
      const { name: model } = await engine.resolve(asked, "completion")
      requestContextOf(request).found(model)
      const { cacheOwner } = readHeaderOptions(request)
      const common = { model, slot, ...(cacheOwner !== undefined && { cacheOwner }) }
      const call: SlotRequest =
        action === "erase" ? { ...common, action } : { ...common, action, name: name ?? "" }
      return toBody(call, await engine.slot(call, abortControllerFor(request).signal))
    },
    { parse: "none" },
  )
}

const ACTIONS = ["save", "restore", "erase"] as const

function readAction(given: string | null): SlotRequest["action"] {
  const action = ACTIONS.find((one) => one === given)
  if (action === undefined)
    throw new InvalidRequest("Invalid action: use ?action=save, restore or erase", "action")
  return action
}

function readSlot(given: string): number {
  if (!/^\d{1,9}$/.test(given)) throw new InvalidRequest("Invalid slot ID: it must be a number", "id_slot")
  return checkInteger("id_slot", Number(given), { ...NUMBERS.slot, min: 0 })
}

/** A name only: where files are is the server's affair. */
function readFilename(fields: Fields): string {
  const name = fields.text("filename", TEXTS.name)
  if (name === undefined)
    throw new InvalidRequest("filename is required: a name for what is saved", "filename")
  const isPlain = name.trim() !== "" && name !== "." && name !== ".." && !/[/\\\p{Cc}]/u.test(name)
  if (!isPlain) throw new InvalidRequest("Invalid filename: it must be a name without folders", "filename")
  return name
}

function toBody(call: SlotRequest, { tokens, bytes, ms }: SlotResult) {
  const { slot: id_slot } = call
  switch (call.action) {
    case "save":
      return { id_slot, filename: call.name, n_saved: tokens, n_written: bytes, timings: { save_ms: ms } }
    case "restore":
      return { id_slot, filename: call.name, n_restored: tokens, n_read: bytes, timings: { restore_ms: ms } }
    case "erase":
      return { id_slot, n_erased: tokens }
    default:
      return call satisfies never
  }
}
