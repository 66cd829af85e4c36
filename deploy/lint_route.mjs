// Validates the HTTPRoute that deploy/lint_chart.py has written against the types of the Gateway API. deploy/lint
// runs it next to the package, where node finds it.
import { readFileSync } from "node:fs";
import { HTTPRoute } from "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1/HTTPRoute";

const route = JSON.parse(readFileSync(process.argv[2], "utf8"));
if (route.kind !== "HTTPRoute") throw new Error("this is not an HTTPRoute");
new HTTPRoute(route).validate();
console.log("the HTTPRoute is valid for the Gateway API");
