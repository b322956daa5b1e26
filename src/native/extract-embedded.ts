import type { Component } from "./extract"

/**
 * The folder of a component's files, extracted below `runtimeFolder` on first use; `undefined` where this executable
 * was built without it.
 * @throws NativeLibraryError where the folder cannot be written or the executable itself is damaged
 */
export async function extractEmbedded(
  name: Component["name"],
  runtimeFolder: string,
): Promise<string | undefined> {
  const { components } = await import("./embedded")
  const component = components.find((each) => each.name === name)
  if (component === undefined) return undefined
  const { extractComponent } = await import("./extract")
  return await extractComponent(component, runtimeFolder)
}
