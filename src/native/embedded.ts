import type { Component } from "./extract"

/** What the executable carries. Nothing in development: build.ts puts the packed components in place of this file. */
export const components: readonly Component[] = []
