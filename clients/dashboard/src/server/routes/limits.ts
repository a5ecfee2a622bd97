/** The limits: what they are, changing them, and who changed them before. */
import { TRPCError } from "@trpc/server";
import { z } from "zod";
import type { Query } from "../database";
import { adminProcedure, changingProcedure, router } from "../trpc";
import { days, enforcement, id, limitType, limitValue, pageRows, tier, usageType } from "./inputs";

export const tiers = ["free", "pro", "team", "enterprise"] as const;

export interface Limit extends Record<string, unknown> {
	limitType: string;
	usageType: string;
	eventSubtype: string | null;
	description: string | null;
	measure: string;
	kind: string;
	period: string | null;
	alignment: string;
	timeZone: string;
	burst: number | null;
	enforcement: "hard" | "soft" | "shadow";
	isActive: boolean;
	updatedAt: string;
	values: Record<(typeof tiers)[number], number>;
	/** Of the row as it was read: a change is refused when it is another by then */
	version: string;
}

const limitColumns = `
  c.limit_type AS "limitType", c.usage_type AS "usageType", c.event_subtype AS "eventSubtype", c.description, c.measure,
  c.kind, c.period, c.alignment, c.time_zone AS "timeZone", c.burst, c.enforcement, c.is_active AS "isActive",
  c.updated_at AS "updatedAt", md5(to_jsonb(c)::text) AS version,
  jsonb_build_object('free', c.free_tier_limit, 'pro', c.pro_tier_limit, 'team', c.team_tier_limit,
    'enterprise', c.enterprise_tier_limit) AS values`;

async function findLimit(query: Query, name: string): Promise<Limit> {
	const [limit] = await query<Limit>(
		`SELECT ${limitColumns} FROM @.usage_limits_config c WHERE c.limit_type = $1`,
		[name],
	);
	if (!limit) throw new TRPCError({ code: "NOT_FOUND", message: `There is no limit “${name}”.` });
	return limit;
}

interface PreviewRow extends Record<string, unknown> {
	userId: string;
	wouldDeny: number;
	firstAt: string | null;
	source: string;
	users: number;
	denials: number;
}

const changes = {
	values: z.object({ free: limitValue, pro: limitValue, team: limitValue, enterprise: limitValue }),
	enforcement,
	description: z.string().max(500),
};

export const limitsRouter = router({
	list: adminProcedure.query(({ ctx }) =>
		ctx.database.read(async (query, features) => {
			if (!features.readable.has("usage_limits_config"))
				throw new TRPCError({
					code: "FORBIDDEN",
					message: "The dashboard’s database role may not read the limits.",
				});
			const limits = await query<Limit>(
				`SELECT ${limitColumns} FROM @.usage_limits_config c ORDER BY c.usage_type, c.limit_type`,
			);
			// a tier's override replaces its column, so the list must show it
			const overrides = await query<{
				limitType: string;
				tier: string;
				value: number;
				expiresAt: string | null;
			}>(
				`SELECT DISTINCT ON (o.limit_type, o.tier) o.limit_type AS "limitType", o.tier, o.limit_value AS value,
           o.expires_at AS "expiresAt"
         FROM @.usage_limit_overrides o
         WHERE o.tier IS NOT NULL AND o.user_id IS NULL
           AND (o.starts_at IS NULL OR o.starts_at <= @.usage_now())
           AND (o.expires_at IS NULL OR o.expires_at > @.usage_now())
         ORDER BY o.limit_type, o.tier, o.starts_at DESC NULLS LAST, o.id DESC`,
			);
			return limits.map((limit) => ({
				...limit,
				overrides: overrides.filter((override) => override.limitType === limit.limitType),
			}));
		}),
	),

	/** One change, one transaction; what PostgreSQL warns of comes back. */
	update: changingProcedure
		.input(z.object({ limitType, version: z.string(), ...changes, isActive: z.boolean() }))
		.mutation(async ({ ctx, input }) => {
			const { warnings } = await ctx.database.write(async (query) => {
				// the lock makes whoever changes it at the same time wait, and then see the other version
				await query("SELECT 1 FROM @.usage_limits_config c WHERE c.limit_type = $1 FOR UPDATE", [
					input.limitType,
				]);
				const limit = await findLimit(query, input.limitType);
				if (limit.version !== input.version)
					throw new TRPCError({
						code: "CONFLICT",
						message: "Somebody else has changed this limit meanwhile. Look at it again.",
					});
				for (const name of tiers)
					if (limit.values[name] !== input.values[name])
						await query("SELECT @.usage_set_limit($1, $2, tier => $3)", [
							input.limitType,
							input.values[name],
							name,
						]);
				if (
					limit.enforcement !== input.enforcement ||
					limit.isActive !== input.isActive ||
					(limit.description ?? "") !== input.description
				)
					await query(
						`UPDATE @.usage_limits_config SET enforcement = $2, is_active = $3, description = nullif($4, '')
             WHERE limit_type = $1`,
						[input.limitType, input.enforcement, input.isActive, input.description],
					);
			});
			ctx.cache.clear();
			return { warnings };
		}),

	/** What is not given comes from the name. */
	create: changingProcedure
		.input(z.object({ limitType: limitType.regex(/^\S+$/), usageType: usageType.optional(), ...changes }))
		.mutation(async ({ ctx, input }) => {
			const { result, warnings } = await ctx.database.write(async (query) => {
				const taken = await query("SELECT 1 FROM @.usage_limits_config c WHERE c.limit_type = $1", [
					input.limitType,
				]);
				if (taken.length > 0)
					throw new TRPCError({
						code: "CONFLICT",
						message: `There is a limit “${input.limitType}” already.`,
					});
				await query(
					`SELECT @.usage_set_limit($1, $2, usage_type => $3, enforcement => $4, description => nullif($5, ''))`,
					[input.limitType, input.values.free, input.usageType ?? null, input.enforcement, input.description],
				);
				for (const name of tiers)
					if (input.values[name] !== input.values.free)
						await query("SELECT @.usage_set_limit($1, $2, tier => $3)", [
							input.limitType,
							input.values[name],
							name,
						]);
				return findLimit(query, input.limitType);
			});
			ctx.cache.clear();
			return { limit: result, warnings };
		}),

	/** Whom another value would have denied: how many, and those most often. */
	preview: adminProcedure
		.input(z.object({ limitType, value: limitValue, tier: tier.nullable(), days }))
		.query(({ ctx, input }) =>
			ctx.database.read(async (query) => {
				const rows = await query<PreviewRow>(
					`SELECT p.user_id AS "userId", p.would_deny AS "wouldDeny", p.first_at AS "firstAt", p.source,
					   count(*) OVER () AS users, sum(p.would_deny) OVER ()::bigint AS denials
					 FROM @.usage_preview($1, $2, $3, $4) p
					 ORDER BY p.would_deny DESC, p.user_id LIMIT 8`,
					[input.limitType, input.value, input.tier, input.days],
				);
				const [first] = rows;
				return {
					users: first?.users ?? 0,
					denials: first?.denials ?? 0,
					// a type without events has only what each day came to
					byDay: first?.source === "counters",
					most: rows.map(({ userId, wouldDeny, firstAt }) => ({ userId, wouldDeny, firstAt })),
				};
			}),
		),

	/** Changes of limits and overrides, newest first; subscriptions change too often to be of use here. */
	history: adminProcedure.input(z.object({ cursor: id.nullish(), rows: pageRows })).query(({ ctx, input }) =>
		ctx.database.read(async (query, features) => {
			if (!features.readable.has("usage_config_log")) return { readable: false, changes: [], next: null };
			const found = await query<{
				id: string;
				changedAt: string;
				changedBy: string;
				tableName: string;
				operation: string;
				oldRow: Record<string, unknown> | null;
				newRow: Record<string, unknown> | null;
			}>(
				`SELECT l.id::text, l.changed_at AS "changedAt", l.changed_by AS "changedBy", l.table_name AS "tableName",
             l.operation, l.old_row AS "oldRow", l.new_row AS "newRow"
           FROM @.usage_config_log l
           WHERE l.id < coalesce($1::bigint, 9223372036854775807) AND l.table_name <> 'user_subscriptions'
           ORDER BY l.id DESC LIMIT $2`,
				[input.cursor ?? null, input.rows + 1],
			);
			const page = found.slice(0, input.rows);
			return {
				readable: true,
				changes: page,
				next: found.length > input.rows ? (page.at(-1)?.id ?? null) : null,
			};
		}),
	),
});
