/**
 * The parts of prom-client that we need. Its index loads the others too, for clusters and push gateways, which takes
 * 10 ms and more of a start that has 100 ms.
 */
declare module "prom-client/lib/counter" {
  export { Counter as default } from "prom-client"
}
declare module "prom-client/lib/gauge" {
  export { Gauge as default } from "prom-client"
}
declare module "prom-client/lib/histogram" {
  export { Histogram as default } from "prom-client"
}
declare module "prom-client/lib/registry" {
  export { Registry as default } from "prom-client"
}
