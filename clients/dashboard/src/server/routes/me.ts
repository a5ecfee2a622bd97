/** A user's own page: his limits and history, nothing of anybody else's. */
import { z } from "zod";
import { only } from "../database";
import { router, userProcedure } from "../trpc";
import { days, id, instant, pageRows } from "./inputs";
import { credits, eventPage, userStats } from "./user-data";

/** Only an administrator may say whom he looks as; a user's own id comes from his token. */
const as = z.string().max(255).optional();

interface Summary {
	tier: string;
	limits: Record<
		string,
		{
			allowed: boolean;
			current: number;
			limit: number;
			remaining: number | null;
			resetAt: string | null;
			limitType: string;
		}
	>;
}

export const meRouter = router({
	/** In the shape that usage-limits/react reads, with what the limits are called. */
	limits: userProcedure.input(z.object({ as })).query(({ ctx }) =>
		ctx.database.read(async (query, features) => {
			const { now, summary } = only(
				await query<{ now: string; summary: Summary }>(
					"SELECT @.usage_now() AS now, @.usage_summary($1) AS summary",
					[ctx.userId],
				),
			);
			const titles = features.readable.has("usage_limits_config")
				? await query<{ limitType: string; title: string }>(
						`SELECT c.limit_type AS "limitType", c.description AS title FROM @.usage_limits_config c
						 WHERE c.description IS NOT NULL`,
					)
				: [];
			return {
				userId: ctx.userId,
				tier: summary.tier,
				now,
				limits: summary.limits,
				titles: Object.fromEntries(titles.map(({ limitType, title }) => [limitType, title])),
			};
		}),
	),

	history: userProcedure
		.input(z.object({ as, days }))
		.query(({ ctx, input }) => ctx.database.read((query) => userStats(query, ctx.userId, input.days))),

	events: userProcedure
		.input(z.object({ as, rows: pageRows, cursor: z.object({ createdAt: instant, id }).nullish() }))
		.query(({ ctx, input }) =>
			ctx.database.read((query, features) =>
				eventPage(query, features, ctx.userId, input.cursor ?? null, input.rows),
			),
		),

	credits: userProcedure
		.input(z.object({ as }))
		.query(({ ctx }) => ctx.database.read((query, features) => credits(query, features, ctx.userId))),
});
