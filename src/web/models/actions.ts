import type { PullBody } from "../../http/v0/bodies/pull"
import { request, sendJson } from "../api/client"
import { pulls } from "../api/live"
import { loadModels } from "../api/models"
import { modelsTexts } from "../texts/models"
import { confirm } from "../ui/dialog"
import { toast, toastError } from "../ui/toasts"

/** Begins a download; its progress comes with the server's events. Returns false where it was refused. */
export async function startPull(model: string): Promise<boolean> {
  try {
    const pull = await sendJson<PullBody>("/v0/pulls", { model })
    pulls.value = [pull, ...pulls.value.filter(({ id }) => id !== pull.id)]
    return true
  } catch (error) {
    toastError(error)
    return false
  }
}

/** Cancels one that runs, removes one that is over. */
export async function endPull({ id, state }: PullBody): Promise<void> {
  try {
    await request(`/v0/pulls/${encodeURIComponent(id)}`, { method: "DELETE" })
    if (state !== "running") pulls.value = pulls.value.filter((pull) => pull.id !== id)
  } catch (error) {
    toastError(error)
  }
}

/** Asks first. Returns whether the model is gone. */
export async function deleteModel(name: string): Promise<boolean> {
  const texts = modelsTexts.value
  const { deleteTitle, deleteText: text, deleteModel: action } = texts
  if (!(await confirm({ title: deleteTitle(name), text, action }))) return false
  try {
    await request("/api/delete", { method: "DELETE", body: { model: name } })
    toast(texts.deleted(name))
    await loadModels()
    return true
  } catch (error) {
    toastError(error)
    return false
  }
}

/** Returns whether there is a copy. */
export async function copyModel(name: string, target: string): Promise<boolean> {
  try {
    await request("/api/copy", { method: "POST", body: { source: name, destination: target } })
    toast(modelsTexts.value.copied(target))
    await loadModels()
    return true
  } catch (error) {
    toastError(error)
    return false
  }
}

export async function unloadModel(name: string): Promise<void> {
  await sendJson("/v0/stop", { model: name }).then(loadModels, toastError)
}
