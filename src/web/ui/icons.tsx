/** The icons of the page, drawn on a grid of 24: paths that are stroked. */
const PATHS = {
  chat: "M20 12a8 7 0 0 1-11.6 6.2L4 19.5l1.3-3.9A7 7 0 1 1 20 12Z",
  models: "M12 3l8 4.5v9L12 21l-8-4.5v-9L12 3Zm0 9l8-4.5M12 12v9M12 12L4 7.5",
  images: "M4 5h16v14H4V5Zm0 11l4.5-4.5 4 4 3-3L20 17M15.5 9.5h.01",
  server: "M4 5h16v6H4V5Zm0 8h16v6H4v-6ZM7.5 8h.01M7.5 16h.01M11 8h5M11 16h5",
  settings:
    "M4 7h9m4 0h3M4 17h3m4 0h9M15 4.8a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4ZM9 14.8a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4Z",
  plus: "M12 5v14M5 12h14",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7 7h10v10H7V7Z",
  copy: "M9 9h11v11H9V9ZM5 15H4V4h11v1",
  edit: "M4 20l1-4L16.5 4.5a2.1 2.1 0 0 1 3 3L8 19l-4 1Z",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5",
  again: "M19.5 12a7.5 7.5 0 1 1-2.3-5.4M19.5 3.5v4h-4",
  branch: "M7 5v9M17 5v3a4 4 0 0 1-4 4H7M7 14a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5Z",
  forward: "M5 6l6 6-6 6M13 6l6 6-6 6",
  left: "M14.5 6l-6 6 6 6",
  right: "M9.5 6l6 6-6 6",
  down: "M6 9.5l6 6 6-6",
  close: "M6 6l12 12M18 6L6 18",
  check: "M5 12.5l4.5 4.5L19 7.5",
  search: "M11 4a7 7 0 1 1 0 14 7 7 0 0 1 0-14ZM16 16l4.5 4.5",
  more: "M6 12h.01M12 12h.01M18 12h.01",
  menu: "M4 7h16M4 12h16M4 17h16",
  attach:
    "M19 11l-7.5 7.5a4.6 4.6 0 0 1-6.5-6.5L13 4a3.1 3.1 0 0 1 4.4 4.4L9.5 16a1.5 1.5 0 0 1-2.2-2.2L14.5 7",
  camera: "M4 8h3.5L9 5.5h6L16.5 8H20v11H4V8Zm8 2a3.2 3.2 0 1 1 0 6.4 3.2 3.2 0 0 1 0-6.4Z",
  microphone: "M12 3.5a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0v-5a3 3 0 0 1 3-3ZM5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3",
  speaker: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5H4ZM15.5 9a4 4 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11",
  tune: "M5 4v6m0 4v6M12 4v2m0 4v10M19 4v9m0 4v3M3 14h4M10 6h4M17 17h4",
  tool: "M14.5 6.5a4 4 0 0 1 5-2l-2.7 2.7 1.5 1.5L21 6a4 4 0 0 1-5.2 5L8 19a2 2 0 0 1-3-3l8-7.8a4 4 0 0 1 1.5-1.7Z",
  split: "M4 5h16v14H4V5Zm8 0v14",
  pin: "M9 4h6l-1 6 3 3H7l3-3-1-6ZM12 13v7",
  download: "M12 4v11M7 10.5l5 5 5-5M4.5 19.5h15",
  upload: "M12 16V4.5M7 9l5-5 5 5M4.5 19.5h15",
  light:
    "M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8ZM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  thought: "M9 18h6M10 21h4M12 3a6 6 0 0 0-3.5 10.9c.6.5.9 1.2.9 2.1h5.2c0-.9.3-1.6.9-2.1A6 6 0 0 0 12 3Z",
  warning: "M12 4l9 15.5H3L12 4Zm0 6v4.5M12 17h.01",
  info: "M12 3.5a8.5 8.5 0 1 1 0 17 8.5 8.5 0 0 1 0-17ZM12 11v5.5M12 7.8h.01",
  file: "M6 3.5h8l4 4v13H6v-17Zm8 0v4h4",
  play: "M8 5.5l10 6.5-10 6.5v-13Z",
  pause: "M8.5 6v12M15.5 6v12",
  eject: "M12 5l7 8H5l7-8ZM5 18h14",
} as const

export type IconName = keyof typeof PATHS

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg class={name === "stop" ? "icon solid" : "icon"} viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  )
}
