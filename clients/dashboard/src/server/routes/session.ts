/** What the page must know before anything else: who looks, and what there is to see. */
import { type Features, NotInstalledError } from "../database";
import { type Context, openProcedure, router } from "../trpc";

export type Denials = "counted" | "not preloaded" | "no worker";

/** Denials are counted in shared memory, so only where the library is preloaded, and written by a worker. */
export function denialsState({ preloaded, worker }: Features): Denials {
	if (!preloaded) return "not preloaded";
	return worker ? "counted" : "no worker";
}

function capabilities(features: Features, readOnly: boolean) {
	const changes = !readOnly && !features.inRecovery;
	const may = (name: string) => features.functions.has(name);
	return {
		setLimits: changes && may("usage_set_limit") && features.writable.has("usage_limits_config"),
		setTier: changes && may("usage_set_tier"),
		setOverrides: changes && may("usage_set_override"),
		endOverrides: changes && features.writable.has("usage_limit_overrides"),
		endHolds: changes && may("usage_release"),
		grantCredits: changes && may("credit_grant"),
		preview: may("usage_preview"),
		holds: features.readable.has("usage_open_holds"),
		credits: may("credit_balance"),
		history: features.readable.has("usage_config_log"),
		events: features.readable.has("usage_events") ? ("paged" as const) : ("newest" as const),
		denials: denialsState(features),
		denialsReadable: features.readable.has("usage_denials"),
		alerts: features.readable.has("usage_alert_log"),
	};
}

async function look(ctx: Context) {
	return ctx.database.read(async (query, features) => {
		const [row] = await query<{
			now: string;
			test_clock: string | null;
			enforcement: string | null;
			tracking: string | null;
		}>(
			`SELECT @.usage_now() AS now, current_setting('usage_limits.test_clock', true) AS test_clock,
         current_setting('usage_limits.enforcement', true) AS enforcement,
         current_setting('usage_limits.tracking_enabled', true) AS tracking`,
		);
		return {
			version: features.version,
			now: row?.now ?? new Date().toISOString(),
			testClock: Boolean(row?.test_clock),
			enforcement: row?.enforcement ?? "on",
			tracking: row?.tracking !== "off",
			readOnly: ctx.readOnly,
			standby: features.inRecovery,
			can: capabilities(features, ctx.readOnly),
		};
	});
}

export const sessionRouter = router({
	get: openProcedure.query(async ({ ctx }) => {
		const { principal, needsToken } = ctx;
		if (!principal) return { role: null, userId: null, needsToken, installed: null, server: null };
		const userId = principal.role === "user" ? principal.userId : null;
		try {
			return { role: principal.role, userId, needsToken, installed: true, server: await look(ctx) };
		} catch (error) {
			if (!(error instanceof NotInstalledError)) throw error;
			return { role: principal.role, userId, needsToken, installed: false, server: null };
		}
	}),
});
