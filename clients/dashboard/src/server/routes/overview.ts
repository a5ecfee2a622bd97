/** How the application is used as a whole. */
import { z } from "zod";
import { only } from "../database";
import { adminProcedure, router } from "../trpc";
import { days, pageRows, usageType } from "./inputs";
import { denialsState } from "./session";

interface Funnel {
	registered: number;
	createdProject: number;
	generatedScene: number;
	exportedVideo: number;
}

export const overviewRouter = router({
	funnel: adminProcedure.input(z.object({ days })).query(({ ctx, input }) =>
		ctx.cache.get(["funnel", input.days], () =>
			ctx.database.read(async (query) => {
				const rows = await query<{ funnel: Funnel }>("SELECT @.usage_funnel($1) AS funnel", [input.days]);
				return only(rows).funnel;
			}),
		),
	),

	/** Rows of every date and type; a null type is all of them together. */
	trends: adminProcedure.input(z.object({ days })).query(({ ctx, input }) =>
		ctx.cache.get(["trends", input.days], () =>
			ctx.database.read((query) =>
				query<{ date: string; usageType: string | null; count: number; users: number }>(
					`SELECT t.date, t.usage_type AS "usageType", t.total_count AS count, t.unique_users AS users
           FROM @.usage_trends($1) t`,
					[input.days],
				),
			),
		),
	),

	topUsers: adminProcedure.input(z.object({ usageType, days, rows: pageRows })).query(({ ctx, input }) =>
		ctx.cache.get(["topUsers", input.usageType, input.days, input.rows], () =>
			ctx.database.read((query) =>
				query<{ userId: string; total: number; lastUsed: string | null }>(
					`SELECT t.user_id AS "userId", t.total_usage AS total, t.last_used AS "lastUsed"
             FROM @.usage_top_users($1, $2, $3) t`,
					[input.usageType, input.days, input.rows],
				),
			),
		),
	),

	errorRates: adminProcedure
		.input(z.object({ days, minEvents: z.number().int().min(1) }))
		.query(({ ctx, input }) =>
			ctx.cache.get(["errorRates", input.days, input.minEvents], () =>
				ctx.database.read((query) =>
					query<{
						usageType: string;
						eventSubtype: string | null;
						total: number;
						failed: number;
						cancelled: number;
						rate: number | null;
						duration: number | null;
					}>(
						`SELECT r.event_type AS "usageType", r.event_subtype AS "eventSubtype", r.total_events AS total,
             r.failed_events AS failed, r.cancelled_events AS cancelled, r.error_rate AS rate,
             r.avg_duration_ms AS duration
           FROM @.usage_error_rates($1, $2) r`,
						[input.days, input.minEvents],
					),
				),
			),
		),

	/** By limit, with the users denied most; the dates are UTC and end today. */
	denials: adminProcedure.input(z.object({ days })).query(({ ctx, input }) =>
		ctx.cache.get(["denials", input.days], () =>
			ctx.database.read(async (query, features) => {
				const state = denialsState(features);
				if (!features.readable.has("usage_denials")) return { state, readable: false, limits: [], users: [] };
				// usage_now() is volatile: compared with it, no index would be used
				const { today } = only(
					await query<{ today: string }>(`SELECT (@.usage_now() AT TIME ZONE 'UTC')::date AS today`),
				);
				const range = "d.usage_date > $1::date - $2::int AND d.usage_date <= $1::date";
				const limits = await query<{ limitType: string; count: number; users: number; lastAt: string }>(
					`SELECT d.limit_type AS "limitType", sum(d.count)::bigint AS count, count(DISTINCT d.user_id) AS users,
             max(d.last_at) AS "lastAt"
           FROM @.usage_denials d WHERE ${range}
           GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20`,
					[today, input.days],
				);
				const users = await query<{ userId: string; limitType: string; count: number; lastAt: string }>(
					`SELECT d.user_id AS "userId", d.limit_type AS "limitType", sum(d.count)::bigint AS count,
             max(d.last_at) AS "lastAt"
           FROM @.usage_denials d WHERE ${range}
           GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 10`,
					[today, input.days],
				);
				return { state, readable: true, limits, users };
			}),
		),
	),

	/** The newest thresholds crossed. */
	alerts: adminProcedure.input(z.object({ rows: pageRows })).query(({ ctx, input }) =>
		ctx.cache.get(["alerts", input.rows], () =>
			ctx.database.read(async (query, features) => {
				if (!features.readable.has("usage_alert_log")) return { readable: false, configured: 0, alerts: [] };
				const [{ configured } = { configured: 0 }] = features.readable.has("usage_alerts")
					? await query<{ configured: number }>("SELECT count(*) AS configured FROM @.usage_alerts")
					: [];
				const alerts = await query<{
					id: string;
					userId: string;
					limitType: string;
					current: number;
					limit: number;
					percent: number | null;
					createdAt: string;
				}>(
					`SELECT l.id::text, l.user_id AS "userId", l.limit_type AS "limitType", l.current, l."limit",
             ${features.readable.has("usage_alerts") ? "a.percent" : "NULL::numeric AS percent"}, l.created_at AS "createdAt"
           FROM @.usage_alert_log l
             ${features.readable.has("usage_alerts") ? "LEFT JOIN @.usage_alerts a ON a.id = l.alert_id" : ""}
           ORDER BY l.id DESC LIMIT $1`,
					[input.rows],
				);
				return { readable: true, configured, alerts };
			}),
		),
	),

	/** What an administrator should look at; without the right to ask, nothing. */
	findings: adminProcedure.query(({ ctx }) =>
		ctx.cache.get(["findings"], () =>
			ctx.database.read(async (query, features) =>
				features.functions.has("usage_doctor")
					? query<{ severity: string; what: string; hint: string | null }>(
							"SELECT d.severity, d.what, d.hint FROM @.usage_doctor() d",
						)
					: [],
			),
		),
	),
});
