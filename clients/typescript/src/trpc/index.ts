export type { AdmitOptions, AdmitParams } from "../admit.js";
export { toTRPCError, usageErrorFormatter, usageResponseMeta } from "./errors.js";
export { limitProcedure, usageErrors } from "./middleware.js";
export {
	type ProcedureLike,
	type UsageAdminProcedures,
	type UsageAdminRouterOptions,
	type UsageProcedures,
	type UsageRouterOptions,
	usageAdminProcedures,
	usageProcedures,
} from "./router.js";
