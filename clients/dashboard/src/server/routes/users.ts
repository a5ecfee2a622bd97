/** One user in full, for administrators. */
import { TRPCError } from "@trpc/server";
import { z } from "zod";
import { only } from "../database";
import { adminProcedure, changingProcedure, router } from "../trpc";
import {
	amount,
	days,
	id,
	instant,
	limitType,
	limitValue,
	pageRows,
	tier,
	usageType,
	userId,
} from "./inputs";
import { creditStatement, credits, eventPage, limitStatus, userStats } from "./user-data";

const ofUser = z.object({ userId });

export interface Subscription extends Record<string, unknown> {
	tier: string;
	status: string | null;
	startedAt: string | null;
	expiresAt: string | null;
	timeZone: string | null;
	anchorAt: string | null;
}

export interface Hold extends Record<string, unknown> {
	holdId: string;
	usageType: string;
	amount: number;
	createdAt: string;
	expiresAt: string;
}

export const usersRouter = router({
	list: adminProcedure
		.input(z.object({ search: z.string().max(255), cursor: z.string().nullish(), rows: pageRows }))
		.query(({ ctx, input }) =>
			ctx.database.read(async (query) => {
				const found = await query<{
					userId: string;
					tier: string;
					status: string | null;
					lastUsed: string | null;
				}>(
					`SELECT u.user_id AS "userId", u.tier, u.status, u.last_used AS "lastUsed"
           FROM @.usage_users(nullif($1, ''), $2, $3) u`,
					[input.search, input.cursor ?? null, input.rows + 1],
				);
				const users = found.slice(0, input.rows);
				return { users, next: found.length > input.rows ? (users.at(-1)?.userId ?? null) : null };
			}),
		),

	/** The limits always answer; a subscription is there only for who has one. */
	get: adminProcedure.input(ofUser).query(({ ctx, input }) =>
		ctx.database.read(async (query, features) => {
			const limits = await limitStatus(query, features, input.userId);
			const [subscription] = features.readable.has("user_subscriptions")
				? await query<Subscription>(
						`SELECT s.tier, s.status, s.started_at AS "startedAt", s.expires_at AS "expiresAt", s.time_zone AS "timeZone",
               s.anchor_at AS "anchorAt"
             FROM @.user_subscriptions s WHERE s.user_id = $1`,
						[input.userId],
					)
				: [];
			const [member] = features.readable.has("usage_members")
				? await query<{ accountId: string }>(
						'SELECT m.account_id AS "accountId" FROM @.usage_members m WHERE m.user_id = $1',
						[input.userId],
					)
				: [];
			const summary = await query<{ tier: string }>(`SELECT @.usage_summary($1) ->> 'tier' AS tier`, [
				input.userId,
			]);
			return {
				userId: input.userId,
				tier: only(summary).tier,
				subscription: subscription ?? null,
				accountId: member?.accountId ?? null,
				limits,
			};
		}),
	),

	explain: adminProcedure.input(z.object({ userId, usageType, amount })).query(({ ctx, input }) =>
		ctx.database.read(async (query) => {
			const decisions = await query<{ decision: Record<string, unknown> }>(
				"SELECT to_jsonb(d) AS decision FROM @.usage_check($1, $2, $3) d",
				[input.userId, input.usageType, input.amount],
			);
			const limits = await query<{
				limitType: string;
				applies: boolean;
				value: number;
				source: string;
				windowStart: string | null;
				windowEnd: string | null;
				current: number;
				remaining: number | null;
				allowed: boolean;
				reason: string;
			}>(
				`SELECT e.limit_type AS "limitType", e.applies, e.value, e.source, e.window_start AS "windowStart",
             e.window_end AS "windowEnd", e.current, e.remaining, e.allowed, e.reason
           FROM @.usage_explain($1, $2, $3) e`,
				[input.userId, input.usageType, input.amount],
			);
			const { allowed, reason, limit_type, reset_at, retry_after } = only(decisions).decision;
			return {
				allowed: allowed as boolean,
				reason: reason as string,
				limitType: limit_type as string | null,
				resetAt: reset_at as string | null,
				retryAfter: retry_after as number | null,
				limits,
			};
		}),
	),

	stats: adminProcedure
		.input(z.object({ userId, days }))
		.query(({ ctx, input }) => ctx.database.read((query) => userStats(query, input.userId, input.days))),

	events: adminProcedure
		.input(z.object({ userId, rows: pageRows, cursor: z.object({ createdAt: instant, id }).nullish() }))
		.query(({ ctx, input }) =>
			ctx.database.read((query, features) =>
				eventPage(query, features, input.userId, input.cursor ?? null, input.rows),
			),
		),

	overrides: adminProcedure.input(ofUser).query(({ ctx, input }) =>
		ctx.database.read((query) =>
			query<{
				id: string;
				limitType: string;
				value: number;
				startsAt: string | null;
				expiresAt: string | null;
				reason: string | null;
				createdAt: string;
				state: "past" | "coming" | "in force";
			}>(
				`SELECT o.id::text, o.limit_type AS "limitType", o.limit_value AS value, o.starts_at AS "startsAt",
           o.expires_at AS "expiresAt", o.reason, o.created_at AS "createdAt",
           CASE WHEN o.expires_at <= @.usage_now() THEN 'past' WHEN o.starts_at > @.usage_now() THEN 'coming'
             ELSE 'in force' END AS state
         FROM @.usage_limit_overrides o WHERE o.user_id = $1 ORDER BY o.id DESC LIMIT 100`,
				[input.userId],
			),
		),
	),

	addOverride: changingProcedure
		.input(
			z.object({
				userId,
				limitType,
				value: limitValue,
				expiresAt: instant.nullable(),
				reason: z.string().max(500),
			}),
		)
		.mutation(async ({ ctx, input }) => {
			const { warnings } = await ctx.database.write((query) =>
				query(
					`SELECT @.usage_set_override($1, $2, user_id => $3, expires_at => $4, reason => nullif($5, ''))`,
					[input.limitType, input.value, input.userId, input.expiresAt, input.reason],
				),
			);
			return { warnings };
		}),

	endOverride: changingProcedure.input(z.object({ userId, id })).mutation(async ({ ctx, input }) => {
		await ctx.database.write(async (query) => {
			const ended = await query(
				"DELETE FROM @.usage_limit_overrides o WHERE o.id = $1 AND o.user_id = $2 RETURNING o.id",
				[input.id, input.userId],
			);
			if (ended.length === 0)
				throw new TRPCError({ code: "NOT_FOUND", message: "This override has gone already." });
		});
	}),

	setTier: changingProcedure
		.input(z.object({ userId, tier, status: z.string().min(1).max(50), expiresAt: instant.nullable() }))
		.mutation(async ({ ctx, input }) => {
			const { warnings } = await ctx.database.write((query) =>
				query(
					`SELECT @.usage_set_tier($1, $2, status => $3, expires_at => coalesce($4::timestamptz, 'infinity'))`,
					[input.userId, input.tier, input.status, input.expiresAt],
				),
			);
			ctx.cache.clear();
			return { warnings };
		}),

	/** Open holds, the oldest first. */
	holds: adminProcedure.input(ofUser).query(({ ctx, input }) =>
		ctx.database.read(async (query, features) =>
			features.readable.has("usage_open_holds")
				? query<Hold>(
						`SELECT h.hold_id AS "holdId", coalesce(h.usage_type, 'credits') AS "usageType", h.amount,
						   h.created_at AS "createdAt", h.expires_at AS "expiresAt"
						 FROM @.usage_open_holds h WHERE h.user_id = $1 ORDER BY h.created_at, h.hold_id LIMIT 200`,
						[input.userId],
					)
				: [],
		),
	),

	releaseHold: changingProcedure
		.input(z.object({ userId, holdId: z.string().min(1).max(255) }))
		.mutation(async ({ ctx, input }) => {
			const { result } = await ctx.database.write(async (query) => {
				const rows = await query<{ ended: boolean }>("SELECT @.usage_release($1, user_id => $2) AS ended", [
					input.holdId,
					input.userId,
				]);
				return only(rows).ended;
			});
			return { ended: result };
		}),

	credits: adminProcedure
		.input(ofUser)
		.query(({ ctx, input }) =>
			ctx.database.read((query, features) => credits(query, features, input.userId)),
		),

	statement: adminProcedure
		.input(z.object({ userId, days, rows: pageRows, cursor: z.number().int().min(0).nullish() }))
		.query(({ ctx, input }) =>
			ctx.database.read(async (query, features) =>
				features.functions.has("credit_statement")
					? creditStatement(query, input.userId, input.days, { skip: input.cursor ?? 0, rows: input.rows })
					: { lines: [], next: null },
			),
		),

	grantCredits: changingProcedure
		.input(
			z.object({
				userId,
				amount: amount.min(1),
				description: z.string().max(500),
				expiresAt: instant.nullable(),
			}),
		)
		.mutation(async ({ ctx, input }) => {
			const { warnings } = await ctx.database.write((query) =>
				query(
					`SELECT @.credit_grant($1, $2, 'adjustment', description => nullif($3, ''), expires_at => $4)`,
					[input.userId, input.amount, input.description, input.expiresAt],
				),
			);
			return { warnings };
		}),
});
