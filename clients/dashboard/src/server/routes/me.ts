/** A user's own page: his limits and history, nothing of anybody else's. */
import { z } from "zod";
import { only } from "../database";
import { router, userProcedure } from "../trpc";
import { days, id, instant, pageRows } from "./inputs";
import { credits, eventPage, limitStatus, userStats } from "./user-data";

/** Only an administrator may say whom he looks as; a user's own id comes from his token. */
const as = z.string().max(255).optional();

export const meRouter = router({
	limits: userProcedure.input(z.object({ as })).query(({ ctx }) =>
		ctx.database.read(async (query, features) => {
			const { now, tier } = only(
				await query<{ now: string; tier: string }>(
					`SELECT @.usage_now() AS now, @.usage_summary($1) ->> 'tier' AS tier`,
					[ctx.userId],
				),
			);
			const limits = await limitStatus(query, features, ctx.userId);
			return { userId: ctx.userId, tier, now, limits };
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
