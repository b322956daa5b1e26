/**
 * The parts of prom-client that we need. Its index also loads those for clusters and push gateways, which takes 10
 * ms or more of a startup of 100 ms.
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
