export type { AdmitOptions, AdmitParams } from "../admit.js";
export { type ExpressOptions, expressProblems, limitExpress, type NodeResponseLike } from "./express.js";
export {
	type HonoContextLike,
	limitHono,
	limitRoute,
	problemResponse,
	routeWithProblems,
	usageRoute,
} from "./fetch.js";
export { type HeaderOptions, rateLimitHeaders, type UsageProblem, usageProblem } from "./headers.js";
